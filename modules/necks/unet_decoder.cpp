// The decoder of a U-Net on any backbone: from the deepest feature upwards, each level joined with the backbone's feature of its size, then, where the
// finest feature is coarser than the picture, further levels without one until the picture's size is reached. Ronneberger et al. 2015,
// arXiv:1505.04597; with `gate`, what is joined is gated: Oktay et al. 2018, arXiv:1804.03999.
// Parameters Up<i>.*, Att<i>.*, Up_conv<i>.* (nn/unet_levels.hpp), i counting from the finest level, which is 1 where it has no feature, else 2 as in the
// backbone unet.
// Features: Up_conv<i>, from coarse to fine: the last has stride 1, or the finest feature's with `full: false`.
// Slots: each convolution by its path, skip and after_stage of each Up_conv.
#include <algorithm>
#include <bit>

#include "modules/nn/neck.hpp"
#include "modules/nn/registry.hpp"
#include "modules/nn/unet_levels.hpp"

namespace fovea {
namespace {

struct Level {
  UNetJoinOptions join;
  int stride = 1;
};

// Names and channels of all levels, from coarse to fine.
std::vector<Level> levels_of(Features in, const std::string& gate, bool full) {
  std::vector<Level> levels;
  std::int64_t channels = in.back().channels;
  for (std::size_t i = in.size() - 1; i-- > 0;) {
    const std::int64_t width = in[i].channels;
    levels.push_back(
        {{.in = channels, .skip = width, .out = width, .gate_inner = std::max<std::int64_t>(1, width / 2), .gate = gate},
         in[i].stride});
    channels = width;
  }
  for (int stride = in.front().stride / 2; full && stride >= 1; stride /= 2) {
    const std::int64_t width = std::max<std::int64_t>(8, channels / 2);
    levels.push_back({{.in = channels, .out = width}, stride});
    channels = width;
  }
  const int finest = !levels.empty() && levels.back().join.skip == 0 ? 1 : 2;
  for (std::size_t i = 0; i < levels.size(); ++i) levels[i].join.level = finest + static_cast<int>(levels.size() - 1 - i);
  return levels;
}

std::vector<Feature> features_of(const std::vector<Level>& levels) {
  std::vector<Feature> out;
  for (const Level& l : levels) out.push_back({"Up_conv" + std::to_string(l.join.level), l.join.out, l.stride});
  return out;
}

class UNetDecoder final : public Neck {
 public:
  UNetDecoder(const Scope& s, std::size_t inputs, const std::vector<Level>& levels)
      : Neck(s, features_of(levels)), inputs_(inputs) {
    for (const Level& l : levels) joins_.emplace_back(s, l.join);
  }

 protected:
  Vars forward(const Vars& in) const override {
    check(in.size() == inputs_, "expected ", inputs_, " features, got ", in.size());
    Vars out;
    Var y = in.back();
    for (std::size_t i = 0; i < joins_.size(); ++i) {
      y = i + 1 < in.size() ? joins_[i](y, in[in.size() - 2 - i]) : joins_[i](y);
      out.push_back(tap(features()[i].name, y));
    }
    return out;
  }

 private:
  std::size_t inputs_;
  std::vector<UNetJoin> joins_;
};

}  // namespace

FOVEA_NECK(unet_decoder, "the decoder of a U-Net, up to the picture's size", "Ronneberger et al. 2015, arXiv:1505.04597") {
  const std::string gate = args.get("gate", "none", "which block gates what is joined: none, attention_gate or another");
  const bool full = args.get("full", true, "further levels until stride 1, where the finest feature is coarser");
  for (std::size_t i = 0; i < features.size(); ++i) {
    check(std::has_single_bit(static_cast<unsigned>(features[i].stride)), args.where(),
          ": unet_decoder: expected strides that are powers of two; ", features[i].name, " has ", features[i].stride);
    check(i == 0 || features[i].stride > features[i - 1].stride, args.where(),
          ": unet_decoder: expected features from fine to coarse; ", features[i].name, " is no coarser than the one before");
  }
  const std::vector<Level> levels = levels_of(features, gate, full);
  check(!levels.empty(), args.where(), ": unet_decoder: expected at least two features, or one that is coarser than the picture");
  return std::make_unique<UNetDecoder>(scope, features.size(), levels);
}

}  // namespace fovea
