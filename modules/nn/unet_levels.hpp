// The two building blocks of U-Nets (Ronneberger et al. 2015, arXiv:1505.04597): a level's convolutions, and the joint of a coarser map with what
// the encoder saw at a finer level, gated where a gate is given (Oktay et al. 2018, arXiv:1804.03999). Names are LeeJunHyun/Image_Segmentation's.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "modules/nn/block.hpp"
#include "modules/nn/norms.hpp"
#include "modules/nn/slot.hpp"

namespace fovea {

// relu(norm(conv3x3)) twice, DropBlock in front of both norms (as SA-UNet, Guo et al. 2020, arXiv:2004.03696). Parameters conv.{0, 1, 3, 4}; slots conv.0, conv.3, after_stage.
class UNetLevel {
 public:
  UNetLevel(const Scope& s, std::int64_t in, std::int64_t out, const DropBlock::Options& drop = {});
  Var operator()(const Var& x) const;

 private:
  ConvSlot conv0_;
  BatchNorm2d bn1_;
  ConvSlot conv3_;
  BatchNorm2d bn4_;
  DropBlock drop_;
  Slot after_;
};

struct UNetJoinOptions {
  int level = 2;          // in the names
  std::int64_t in = 0;    // channels of the coarser map
  std::int64_t skip = 0;  // of the encoder's; 0: there is none at this level
  std::int64_t out = 0;
  std::int64_t gate_inner = 0;   // channels inside a gate
  std::string gate = "none";     // which block gates what is joined
  DropBlock::Options drop = {};  // of the level behind the joint
};

// The coarser map enlarged to the skip's size (without a skip: doubled), the skip gated by it, both joined by a level. Parameters Up<level>.up.{1, 2}, Att<level>.*,
// Up_conv<level>.conv.*; slots: each convolution, Up_conv<level>.skip in front of gate and joining, Up_conv<level>.after_stage.
class UNetJoin {
 public:
  UNetJoin(const Scope& s, const UNetJoinOptions& o);
  Var operator()(const Var& x, const Var& encoded) const;
  Var operator()(const Var& x) const;  // of a level without a skip

 private:
  Var enlarged(const Var& x, std::int64_t height, std::int64_t width) const;

  ConvSlot conv_;
  BatchNorm2d bn_;
  std::optional<Slot> skip_;
  std::unique_ptr<Block> gate_;
  bool takes_two_ = false;
  UNetLevel level_;
};

}  // namespace fovea
