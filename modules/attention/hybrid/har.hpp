// The pieces of HAR-Net (Li et al. 2019, arXiv:1904.11141) that its head is made of. Each works on several levels of a feature
// pyramid, finest first, and each is a block of its own too.
#pragma once

#include "modules/nn/block.hpp"

namespace fovea {

// Number of levels that a HAR block takes.
std::int64_t read_levels(Args& args);
// `wanted`, or the largest of its divisors that divides all of `channels` where `wanted` is 0: then 32 or so is tried.
std::int64_t group_count(std::int64_t wanted, std::int64_t usual, const std::vector<std::int64_t>& channels);

// See har_spatial.cpp.
struct HarMaskOptions {
  std::int64_t in = 0, width = 16, groups = 4;
  std::vector<int> dilations{1, 2, 5, 2};
};
HarMaskOptions read_mask_options(std::int64_t channels, Args& args, const std::string& groups_name);

// One level's mask: N x 1 x H x W in (0, 1). Tap "spatial".
class HarMask final : public MapBlock {
 public:
  HarMask(const Scope& scope, const HarMaskOptions& o);

 protected:
  Var forward(const Var& x) const override;

 private:
  std::vector<Conv2d> convs_;
  Conv2d out_;
  int groups_;
};

// See har_channel.cpp.
class HarChannel final : public Block {
 public:
  HarChannel(const Scope& scope, std::int64_t channels, std::int64_t levels, std::int64_t squeeze);

 protected:
  Vars forward(const Vars& in) const override;

 private:
  std::int64_t levels_;
  Linear down_, up_;
};

// See har_sync_norm.cpp.
struct HarSyncOptions {
  std::int64_t channels = 0, levels = 5, kernel = 3, groups = 16;
  double scale = 1;  // initial weight of the normalisation
  bool relu = true;
};
class HarSyncNorm final : public Block {
 public:
  HarSyncNorm(const Scope& scope, const HarSyncOptions& o);

 protected:
  Vars forward(const Vars& in) const override;

 private:
  HarSyncOptions o_;
  Conv2d conv_;
  Var weight_, bias_;
};

}  // namespace fovea
