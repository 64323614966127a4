// Efficient channel attention: y = x * sigmoid(conv1d_k(mean_HW x)), the convolution running along the channels.
// Wang et al. 2020, arXiv:1910.03151. k = |log2(C) + b| / gamma, rounded down, made odd by adding one.
// Parameters conv.weight (1 x 1 x k); with `hidden` conv.weight, conv.bias, conv2.weight, conv2.bias. Tap "channel": N x C x 1 x 1.
#include <cmath>
#include <optional>

#include "modules/core/whole.hpp"
#include "modules/nn/activations.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/global_pool.hpp"
#include "modules/ops/pad.hpp"
#include "modules/ops/reshape.hpp"

namespace fovea {
namespace {

// A convolution along the last axis of N x I x 1 x L. Parameters weight (O x I x k) and bias.
class Conv1d {
 public:
  Conv1d(const Scope& s, std::int64_t in, std::int64_t out, std::int64_t kernel, bool bias)
      : weight_(s.param("weight", {out, in, kernel}, init::fan_in_uniform(in * kernel))),
        bias_(bias ? s.param("bias", {out}, init::fan_in_uniform(in * kernel)) : Var()) {}
  Var operator()(const Var& x, bool circular = false) const {
    const std::int64_t k = weight_.dim(2), p = k / 2;
    const Var flat = reshape(weight_, {weight_.dim(0), weight_.dim(1), 1, k});
    if (!circular || p == 0) return conv2d(x, flat, bias_, {.pad_begin = {0, p}, .pad_end = {0, p}});
    return conv2d(pad2d(x, {.left = p, .right = p}, PadMode::circular), flat, bias_, {});
  }

 private:
  Var weight_, bias_;
};

class Eca final : public MapBlock {
 public:
  struct Options {
    std::int64_t kernel, hidden;
    bool circular;
    std::string activation, gate;
  };
  Eca(const Scope& s, const Options& o)
      : MapBlock(s),
        conv_(s / "conv", 1, o.hidden ? o.hidden : 1, o.hidden ? 1 : o.kernel, o.hidden > 0),
        act_(activation(o.activation, s.path())),
        gate_(activation(o.gate, s.path())),
        circular_(o.circular) {
    if (o.hidden) conv2_.emplace(s / "conv2", o.hidden, 1, o.kernel, true);
  }

 protected:
  Var forward(const Var& x) const override {
    Var z = reshape(global_avg_pool(x), {x.dim(0), 1, 1, x.dim(1)});
    z = conv_(z, circular_);
    if (conv2_) z = (*conv2_)(act_(z), circular_);
    return x * tap("channel", gate_(reshape(z, {x.dim(0), x.dim(1), 1, 1})));
  }

 private:
  Conv1d conv_;
  std::optional<Conv1d> conv2_;
  Pointwise act_, gate_;
  bool circular_;
};

std::int64_t kernel_for(std::int64_t channels, double gamma, double beta) {
  const auto t = whole(std::abs(std::log2(static_cast<double>(channels)) + beta) / gamma, "eca: kernel from gamma and beta");
  return t % 2 ? t : t + 1;
}

}  // namespace

FOVEA_BLOCK(eca, "a gate for every channel from its neighbours", "Wang et al. 2020, arXiv:1910.03151") {
  const int given = args.get("kernel", 0, "channels that a gate looks at, odd; 0: from the number of channels");
  const double gamma = args.get("gamma", 2.0, "divides log2(channels) + beta");
  const double beta = args.get("beta", 1.0, "added to log2(channels)");
  const int least = args.get("min_kernel", 3, "the least kernel that the formula may give");
  const std::string padding = args.get("padding", "zeros", "zeros or circular");
  Eca::Options o{};
  o.hidden = args.get("hidden", 0, "channels of a first convolution of kernel 1 with biases; 0: none");
  o.activation = args.get("activation", "relu", "between the two convolutions");
  o.gate = args.get("gate", "sigmoid", "sigmoid, hard_sigmoid or another activation");
  check(gamma > 0, "eca: expected gamma > 0, got ", gamma);
  o.kernel = given ? given : std::max<std::int64_t>(least, kernel_for(channels, gamma, beta));
  check(o.kernel > 0 && o.kernel % 2 == 1 && o.hidden >= 0, "eca: expected an odd kernel and hidden >= 0, got ", o.kernel,
        " and ", o.hidden);
  check(padding == "zeros" || padding == "circular", "eca: expected padding zeros or circular, got '", padding, "'");
  o.circular = padding == "circular";
  check(!o.circular || o.kernel / 2 <= channels, "eca: a circular kernel of ", o.kernel, " needs at least ", o.kernel / 2,
        " channels, got ", channels);
  return std::make_unique<Eca>(scope, o);
}

}  // namespace fovea
