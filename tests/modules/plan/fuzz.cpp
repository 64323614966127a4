// Small random graphs: plan against eager, in f32 and bf16. A failing case prints its seed.
#include <map>

#include "modules/core/random.hpp"
#include "modules/ops/attention.hpp"
#include "modules/ops/batch_norm.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/conv2d.hpp"
#include "modules/ops/global_pool.hpp"
#include "modules/ops/global_sums.hpp"
#include "modules/ops/l2_normalize.hpp"
#include "modules/ops/layer_norm.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/max_mean.hpp"
#include "modules/ops/mix.hpp"
#include "modules/ops/pad.hpp"
#include "modules/ops/permute.hpp"
#include "modules/ops/pixel_shuffle.hpp"
#include "modules/ops/pool2d.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/resize.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/softmax.hpp"
#include "modules/ops/unary.hpp"
#include "modules/plan/plan.hpp"
#include "tests/support/bf16.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"
#include "tests/support/rounding.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

// A graph drawn from a seed. forward() draws the same one every time; parameters are made when they are first met.
class Drawn {
 public:
  explicit Drawn(std::uint64_t seed) : seed_(seed) {}

  Vars forward(const Vars& in) {
    random_ = Random(seed_);
    met_ = 0;
    Vars pool{in[0]};
    const std::int64_t steps = 3 + random_.below(12);
    for (std::int64_t i = 0; i < steps; ++i) pool.push_back(stored(step(pool[pick(pool.size())], pool), i));
    Vars out{pool.back()};
    if (random_.below(2)) out.push_back(pool[pick(pool.size())]);  // something in the middle is asked for, too
    return out;
  }
  const Tensors& parameters() const { return parameters_; }
  // From now on every step's value is multiplied by ones, which a test may change as rounding would change the values. They are
  // made by the next forward().
  void expose() { exposed_ = true; }
  const Tensors& ones() const { return ones_; }

 private:
  Var stored(const Var& x, std::int64_t i) {
    if (!exposed_) return x;
    if (i == static_cast<std::int64_t>(ones_.size()))
      ones_.push_back(Tensor::full(x.shape(), 1, DType::f32, Layout::channels_last));
    return x * Var(ones_[static_cast<std::size_t>(i)]);
  }

  std::size_t pick(std::size_t n) { return static_cast<std::size_t>(random_.below(static_cast<std::int64_t>(n))); }

  Tensor parameter(const Shape& shape, double low, double high) {
    if (met_ == parameters_.size()) {
      Tensor t = Tensor::empty(shape);
      Random own(seed_, met_ + 1);
      own.fill_uniform(t, low, high);
      parameters_.push_back(t);
    }
    return parameters_[met_++];
  }
  Var weight(const Shape& shape, double low = -0.4, double high = 0.4) {
    Var v(parameter(shape, low, high));
    v.mark_parameter();
    return v;
  }

  Var convolution(const Var& x, std::int64_t out, const Var& residual = {}) {
    Conv2dOptions o;
    const std::int64_t c = x.dim(1), k = 1 + 2 * random_.below(2);
    o.pad_begin = o.pad_end = {k / 2, k / 2};
    if (random_.below(4) == 0 && out == c) o.groups = c;
    if (!residual.defined() && random_.below(5) == 0) o.stride = {2, 2};
    o.transposed = random_.below(5) == 0 && o.stride[0] == 1;
    if (!residual.defined() && x.dim(2) * x.dim(3) < 200 && random_.below(6) == 0) return doubled(x, out);
    if (random_.below(4) == 0) o.activation = random_.below(2) ? Activation::leaky_relu : Activation::sigmoid;
    const Shape w = o.transposed ? Shape{c, out / o.groups, k, k} : Shape{out, c / o.groups, k, k};
    const Var kernel = weight(w), bias = random_.below(2) ? weight({out}) : Var();
    return conv2d(x, kernel, bias, o, residual);
  }

  Var doubled(const Var& x, std::int64_t out) {
    const std::int64_t k = 2 + random_.below(3);
    const std::array<std::int64_t, 2> before{(k - 1) / 2, (k - 1) / 2}, after{k - 2 - before[0], k - 2 - before[0]};
    return conv2d(x, weight({x.dim(1), out, k, k}), random_.below(2) ? weight({out}) : Var(),
                  {.stride = {2, 2}, .pad_begin = before, .pad_end = after, .transposed = true});
  }

  Var norm(const Var& x) {
    const Shape c{x.dim(1)};
    const Var scale = weight(c, 0.5, 1.5), shift = weight(c);
    const Tensor mean = parameter(c, -0.5, 0.5), variance = parameter(c, 0.5, 2);
    return batch_norm(x, scale, shift, mean, variance);
  }

  Var pointwise(const Var& x) {
    switch (random_.below(9)) {
      case 0: return relu(x);
      case 1: return relu6(x);
      case 2: return sigmoid(x);
      case 3: return tanh(x);
      case 4: return hard_swish(x);
      case 5: return silu(x);
      case 6: return leaky_relu(x, 0.1);
      case 7: return clamp(x, -0.5, 0.7);
      default: return scale(x, 0.7, -0.1);
    }
  }

  Var layers(const Var& pooled) {
    const std::int64_t c = pooled.dim(1);
    Var z = linear(reshape(pooled, {pooled.dim(0), c}), weight({4, c}), weight({4}));
    z = linear(pointwise(z), weight({c, 4}), random_.below(2) ? weight({c}) : Var());
    return reshape(z, {z.dim(0), c, 1, 1});
  }

  Var gated(const Var& x) {
    switch (random_.below(4)) {
      case 0: return x * sigmoid(layers(global_avg_pool(x)));
      case 1: return x * sigmoid(layers(global_avg_pool(x)) + layers(global_max_pool(x)));
      case 2: {
        const Var y = x * sigmoid(layers(global_max_pool(x)));
        return y * sigmoid(convolution_to_one(max_mean(y, 1, random_.below(2) == 1)));
      }
      default: return x * weight({1, x.dim(1), 1, 1}, 0.5, 1.5) + weight({1});
    }
  }
  Var convolution_to_one(const Var& planes) {
    Conv2dOptions o;
    o.pad_begin = o.pad_end = {1, 1};
    return conv2d(planes, weight({1, planes.dim(1), 3, 3}), {}, o);
  }

  // Transposed elements.
  Var moved(const Var& x, const Var& other) {
    const std::int64_t c = x.dim(1), h = x.dim(2), w = x.dim(3);
    switch (random_.below(8)) {
      case 0: return permute(x, {0, 1, 3, 2});
      case 1: return h * w * c < 4000 ? concat({x, other, tanh(x)}, 2 + static_cast<int>(random_.below(2))) : x;
      case 2: return h > 3 ? slice(x, 2, 1, h, 1 + random_.below(2)) : x;
      case 3: return c > 1 ? split(x, 1, {c / 2, c - c / 2})[static_cast<std::size_t>(random_.below(2))] : x;
      case 4:
        if (h < 4 || w < 4) return x;
        return pixel_unshuffle(slice(slice(x, 2, 0, h / 2 * 2, 1), 3, 0, w / 2 * 2, 1), 2);
      case 5: return c % 4 == 0 ? pixel_shuffle(x, 2) : x;
      case 6: return h * w < 400 ? resize(x, 2 * h, 2 * w, random_.below(2) ? Resize::nearest : Resize::bilinear) : x;
      default: return pad2d(x, {1, 0, 0, 2}, random_.below(2) ? PadMode::constant : PadMode::replicate, 0.3);
    }
  }

  // Reductions of one or several axes, broadcast over the map again.
  Var by_axes(const Var& x) {
    const int axis = 1 + static_cast<int>(random_.below(3));
    switch (random_.below(6)) {
      case 0: return x * sigmoid(mean(x, {axis}));
      case 1: return x - sum(x, {2, 3}) * weight({1}, 0.01, 0.02);
      case 2: return x * sigmoid(scale(global_sum_squares(x), 0.01));
      case 3: return softmax(x, axis);
      case 4: return layer_norm_channels(x, weight({x.dim(1)}, 0.5, 1.5), random_.below(2) ? weight({x.dim(1)}) : Var(), 0.1);
      default: return l2_normalize(x, 1, 0.5);
    }
  }

  // Triplet attention's gate and the plain sums after it.
  Var turned(const Var& x) {
    const Shape order = random_.below(2) ? Shape{0, 2, 1, 3} : Shape{0, 3, 2, 1};
    const Var g = permute(sigmoid(convolution_to_one(permute(max_mean(x, order[1] == 2 ? 2 : 3), order))), order);
    return random_.below(2) ? x * scale(g, 0.5) + x * sigmoid(global_avg_pool(x)) : x * g;
  }

  Var tokens(const Var& x) {
    const std::int64_t n = x.dim(0), c = x.dim(1), length = x.dim(2) * x.dim(3);
    Var t = permute(reshape(x, {n, c, length}), {0, 2, 1});
    t = layer_norm(t, weight({c}, 0.5, 1.5), weight({c}), 1, 0.1);
    const auto heads = [&](const Var& v) { return permute(reshape(v, {n, length, 2, 4}), {0, 2, 1, 3}); };
    const Var q = heads(linear(t, weight({8, c}), weight({8}))), k = heads(linear(t, weight({8, c}), Var()));
    const Var y = random_.below(2) ? attention(q, k, q) : matmul(attention_weights(q, k), k);
    t = t + gelu(linear(reshape(permute(y, {0, 2, 1, 3}), {n, length, 8}), weight({c, 8}), Var()));
    return reshape(permute(t, {0, 2, 1}), x.shape());
  }

  Var step(const Var& x, const Vars& pool) {
    Vars alike;
    for (const Var& v : pool)
      if (v.shape() == x.shape()) alike.push_back(v);
    const Var other = alike[pick(alike.size())];
    const bool spacious = x.dim(2) > 4 && x.dim(3) > 4;
    switch (random_.below(17)) {
      case 0: return norm(convolution(x, 1 + random_.below(20)));
      case 1: return pointwise(norm(convolution(x, x.dim(1))));
      case 2: return convolution(x, x.dim(1), random_.below(3) ? Var() : other);
      case 3: return x + other;
      case 4: return relu(scale(other, 0.5) - x);
      case 5: return tanh(x) * other;
      case 6: return gated(x);
      case 7: return pointwise(gated(x) + other);
      case 8: return norm(x);
      case 9: return x.dim(1) < 40 ? concat({x, other}, 1) : pointwise(x);
      case 10:
        return spacious ? (random_.below(2) ? max_pool2d(x, {3, 2, 1}) : avg_pool2d(x, {.kernel = 2, .ceil = true}))
                        : pointwise(x);
      case 11: return permute(x, {0, 1, 3, 2});
      case 12: return moved(x, other);
      case 13: return by_axes(x);
      case 14: return turned(x);
      case 15: {
        const Var both = reshape(global_avg_pool(concat({x, other}, 1)), {x.dim(0), 2 * x.dim(1)});
        return mix(softmax(linear(both, weight({2, 2 * x.dim(1)}), Var()), 1), {x, other}, 0.2);
      }
      default: return tokens(x);
    }
  }

  std::uint64_t seed_, met_ = 0;
  Random random_;
  bool exposed_ = false;
  Tensors parameters_, ones_;
};

void check_seed(std::uint64_t seed, bool bf16) {
  INFO("seed " << seed);
  Random random(seed, 99);
  const Shape shape{1 + random.below(3), 1 + random.below(17), 5 + random.below(9), 5 + random.below(9)};
  Drawn drawn(seed);
  const Tensor x = random_tensor(shape, seed).to(DType::f32).contiguous(Layout::channels_last);
  const auto forward = [&](const Vars& in) { return drawn.forward(in); };
  const auto eager = [&] {
    NoGrad no_grad;
    Tensors out;
    for (const Var& v : forward({Var(x)})) out.push_back(v.value());
    return out;
  };
  const Tensors want = eager();
  const auto planned = [&](DType precision) {
    return plan::compile(forward, {shape}, {.precision = precision}).run({x}).outputs;
  };
  const auto compare = [&](const Tensors& got, const std::vector<double>& bounds) {
    REQUIRE(got.size() == want.size());
    for (std::size_t i = 0; i < got.size(); ++i) CHECK(max_difference(got[i], want[i]) <= bounds[i]);
  };
  compare(planned(DType::f32), rounding_bounds(drawn.parameters(), 40 * 9 * 13, eager));
  if (!bf16) return;
  const Tensors coarse = planned(DType::bf16);
  // Some graphs have no weight in front of an output: the picture and every step's value are disturbed as well. A gate stores twice.
  drawn.expose();
  eager();
  Tensors disturbed = drawn.parameters();
  disturbed.push_back(x);
  disturbed.insert(disturbed.end(), drawn.ones().begin(), drawn.ones().end());
  compare(coarse, storage_bounds(disturbed, 4, eager));
}

}  // namespace

TEST_CASE("plan: random graphs equal eager") {
  const bool bf16 = has_bf16();
  for (std::uint64_t seed = 0; seed < 150; ++seed) check_seed(seed, bf16);
}
