// Selective kernel: paths U_m = relu(bn(conv_m x)) of several kernels, a softmax over the paths for every channel, y = sum a_m * U_m;
// logits fc_select(relu(bn(fc_reduce mean_HW sum_m U_m))). Li et al. 2019, arXiv:1903.06586, as timm has it.
// Parameters paths.M.conv.weight, paths.M.bn.*, attn.fc_reduce.weight, attn.bn.*, attn.fc_select.weight. Tap "paths": N x M x C.
#include <optional>

#include "modules/attention/channel/selective.hpp"
#include "modules/nn/gate_mlp.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/slice.hpp"

namespace fovea {
namespace {

class Sk final : public MapBlock {
 public:
  struct Options {
    std::int64_t out = 0, stride = 1, dilation = 1, groups = 1, hidden = 0;
    std::vector<int> kernels;
    bool keep_3x3 = true, split = true;
    std::string activation;
  };
  Sk(const Scope& s, std::int64_t in, const Options& o)
      : MapBlock(s),
        act_(activation(o.activation, s.path())),
        reduce_(s / "attn" / "fc_reduce", {.in = o.out, .out = o.hidden, .bias = false}),
        norm_(s / "attn" / "bn", o.hidden),
        select_(s / "attn" / "fc_select",
                {.in = o.hidden, .out = o.out * static_cast<std::int64_t>(o.kernels.size()), .bias = false}),
        split_(o.split) {
    const auto paths = static_cast<std::int64_t>(o.kernels.size());
    for (std::int64_t m = 0; m < paths; ++m) {
      const std::int64_t k = o.kernels[static_cast<std::size_t>(m)];
      const std::int64_t size = o.keep_3x3 && k > 1 ? 3 : k,
                         dilation = o.keep_3x3 && k > 1 ? o.dilation * ((k - 1) / 2) : o.dilation;
      const Scope path = s / "paths" / m;
      paths_.push_back({Conv2d(path / "conv", {.in = o.split ? in / paths : in,
                                               .out = o.out,
                                               .kernel = size,
                                               .stride = o.stride,
                                               .pad = dilation * (size - 1) / 2,
                                               .dilation = dilation,
                                               .groups = o.groups,
                                               .bias = false}),
                        BatchNorm2d(path / "bn", o.out)});
    }
  }

 protected:
  Var forward(const Var& x) const override {
    const auto count = static_cast<std::int64_t>(paths_.size());
    const Vars parts = split_ ? split(x, 1, std::vector<std::int64_t>(paths_.size(), x.dim(1) / count)) : Vars(paths_.size(), x);
    Vars maps;
    for (std::size_t m = 0; m < paths_.size(); ++m) maps.push_back(act_(paths_[m].bn(paths_[m].conv(parts[m]))));
    return select(
        maps, [this](const Var& z) { return attend(z); }, [this](const Var& w) { return tap("paths", w); });
  }

 private:
  struct Path {
    Conv2d conv;
    BatchNorm2d bn;
  };
  Var attend(const Var& pooled) const {
    const Var z = reduce_(reshape(pooled, {pooled.dim(0), pooled.dim(1)}));
    return select_(reshape(act_(norm_(reshape(z, {z.dim(0), z.dim(1), 1, 1}))), z.shape()));
  }

  std::vector<Path> paths_;
  Pointwise act_;
  Linear reduce_;
  BatchNorm2d norm_;
  Linear select_;
  bool split_;
};

}  // namespace

FOVEA_CONV_BLOCK(sk, "paths of several kernels, chosen for every channel", "Li et al. 2019, arXiv:1903.06586") {
  Sk::Options o;
  const int out = args.get("out", 0, "output channels; 0: as many as input");
  const int kernel = args.get("kernel", 3, "kernel of the first path, odd");
  o.kernels = args.list("kernels", std::vector<int>{kernel, kernel + 2}, "kernels of the paths, odd");
  o.stride = args.get("stride", 1, "of every path");
  o.dilation = args.get("dilation", 1, "of every path");
  o.groups = args.get("groups", 1, "of every path");
  const int pad = args.get("pad", -1, "-1: the padding that keeps the size at stride 1; no other fits every path");
  args.get("bias", false, "has no effect: batch norm follows every convolution");
  o.keep_3x3 = args.get("keep_3x3", true, "larger kernels are 3 x 3 kernels with dilation");
  o.out = out ? out : channels;
  const auto paths = static_cast<std::int64_t>(o.kernels.size());
  o.split = args.get("split_input", paths > 0 && channels % paths == 0, "every path gets its share of the input channels only");
  o.hidden = squeezed_width(args, o.out, {.divisor = 8, .round_limit = 0.9}, "sk");
  o.activation = args.get("activation", "relu", "behind every path and in the attention");
  check(paths > 0 && o.out > 0 && o.stride > 0 && o.dilation > 0 && o.groups > 0,
        "sk: expected at least one kernel and positive out, stride, dilation and groups");
  for (const int k : o.kernels) check(k > 0 && k % 2 == 1, "sk: expected odd kernels, got ", k);
  check(pad < 0 || pad == o.dilation * (kernel / 2), "sk: expected the padding that keeps the size, ", o.dilation * (kernel / 2),
        ", got ", pad);
  check(!o.split || channels % paths == 0, "sk: split_input: ", channels, " channels do not divide among ", paths, " paths");
  o.groups = std::min(o.groups, o.out);
  return std::make_unique<Sk>(scope, channels, o);
}

}  // namespace fovea
