// Selective kernel with biases and plain kernels: U_m = relu(bn(conv_m x)), kernels 3, 5, 7, ...; z = fc mean_HW(sum_m U_m);
// y = sum_m softmax_m(fcs_m z) * U_m. Li et al. 2019, arXiv:1903.06586, as the widely used pppLang/SKNet has it: no norm and no
// activation on z. Parameters convs.M.0.*, convs.M.1.* (norm), fc.*, fcs.M.*. Tap "paths": N x M x C.
#include <algorithm>

#include "modules/attention/channel/selective.hpp"
#include "modules/core/whole.hpp"
#include "modules/nn/norms.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

class SkConv final : public MapBlock {
 public:
  struct Options {
    std::int64_t out = 0, paths = 2, kernel = 3, stride = 1, groups = 32, hidden = 32;
  };
  SkConv(const Scope& s, std::int64_t in, const Options& o) : MapBlock(s), fc_(s / "fc", {.in = o.out, .out = o.hidden}) {
    for (std::int64_t m = 0; m < o.paths; ++m) {
      const std::int64_t k = o.kernel + 2 * m;
      convs_.emplace_back(
          s / "convs" / m / 0,
          Conv2d::Options{.in = in, .out = o.out, .kernel = k, .stride = o.stride, .pad = k / 2, .groups = o.groups});
      norms_.emplace_back(s / "convs" / m / 1, o.out);
      fcs_.emplace_back(s / "fcs" / m, Linear::Options{.in = o.hidden, .out = o.out});
    }
  }

 protected:
  Var forward(const Var& x) const override {
    Vars maps;
    for (std::size_t m = 0; m < convs_.size(); ++m) maps.push_back(relu(norms_[m](convs_[m](x))));
    return select(
        maps, [this](const Var& z) { return attend(z); }, [this](const Var& w) { return tap("paths", w); });
  }

 private:
  Var attend(const Var& pooled) const {
    const Var z = fc_(reshape(pooled, {pooled.dim(0), pooled.dim(1)}));
    Vars logits;
    for (const Linear& fc : fcs_) logits.push_back(fc(z));
    return concat(logits, 1);
  }

  std::vector<Conv2d> convs_;
  std::vector<BatchNorm2d> norms_;
  Linear fc_;
  std::vector<Linear> fcs_;
};

}  // namespace

FOVEA_CONV_BLOCK(sk_conv, "paths of kernels 3, 5, ..., chosen for every channel", "Li et al. 2019, arXiv:1903.06586") {
  SkConv::Options o;
  const int out = args.get("out", 0, "output channels; 0: as many as input");
  o.out = out ? out : channels;
  o.paths = args.get("paths", 2, "number of kernels", {1, 64});
  o.kernel = args.get("kernel", 3, "the first kernel, odd; each next is larger by 2");
  o.stride = args.get("stride", 1, "of every path");
  o.groups = args.get("groups", 1, "of every path; the paper has 32");
  const int pad = args.get("pad", -1, "-1: the padding that keeps the size at stride 1; no other fits every path");
  const int dilation = args.get("dilation", 1, "only 1");
  args.get("bias", true, "has no effect: these convolutions have biases");
  const double reduction = args.get("reduction", 16.0, "channels / reduction is the width of z");
  const int least = args.get("min_hidden", 32, "the least width of z");
  check(o.out > 0 && o.paths > 0 && o.stride > 0 && o.groups > 0 && least > 0 && reduction > 0,
        "sk_conv: expected positive out, paths, stride, groups, min_hidden and reduction");
  check(o.kernel > 0 && o.kernel % 2 == 1, "sk_conv: expected an odd kernel, got ", o.kernel);
  check(dilation == 1, "sk_conv: expected dilation 1, got ", dilation, "; the block sk has dilation");
  check(pad < 0 || pad == o.kernel / 2, "sk_conv: expected the padding that keeps the size, ", o.kernel / 2, ", got ", pad);
  o.hidden = std::max<std::int64_t>(least, whole(static_cast<double>(o.out) / reduction, "sk_conv: out / reduction"));
  return std::make_unique<SkConv>(scope, channels, o);
}

}  // namespace fovea
