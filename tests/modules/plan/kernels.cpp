// Fovea's kernels for plans on shapes that are rare in networks: odd widths, several channels, NaN.
#include <limits>

#include "modules/core/random.hpp"
#include "modules/ops/attention.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/conv2d.hpp"
#include "modules/ops/deform_conv2d.hpp"
#include "modules/ops/global_pool.hpp"
#include "modules/ops/global_std.hpp"
#include "modules/ops/global_sums.hpp"
#include "modules/ops/group_norm.hpp"
#include "modules/ops/l2_normalize.hpp"
#include "modules/ops/layer_norm.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/max_mean.hpp"
#include "modules/ops/pad.hpp"
#include "modules/ops/permute.hpp"
#include "modules/ops/pool2d.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/resize.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/softmax.hpp"
#include "modules/ops/take.hpp"
#include "modules/ops/unary.hpp"
#include "modules/plan/plan.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

Tensor map(const Shape& shape, std::uint64_t seed) {
  return random_tensor(shape, seed).to(DType::f32).contiguous(Layout::channels_last);
}

Tensor planned(const std::function<Var(const Var&)>& f, const Tensor& x) {
  const auto plan = plan::compile([&](const Vars& in) { return Vars{f(in[0])}; }, {x.shape()});
  CHECK(plan.lowered());
  return plan.run({x}).outputs[0];
}

Tensor eager(const std::function<Var(const Var&)>& f, const Tensor& x) {
  NoGrad no_grad;
  return f(Var(x)).value();
}

}  // namespace

TEST_CASE("plan kernels: convolutions of few channels to one, at all widths") {
  for (const std::int64_t width : {1, 7, 16, 17, 32, 33, 64, 65, 130, 300})
    for (const std::int64_t channels : {1, 2, 4}) {
      INFO(width << " wide, " << channels << " channels");
      const Tensor w = random_tensor({1, channels, 7, 5}, 1), bias = random_tensor({1}, 2);
      const auto f = [&](const Var& x, DType type) {
        return conv2d(x, Var(w.to(type)), Var(bias.to(type)), {.pad_begin = {3, 2}, .pad_end = {3, 2}});
      };
      const Tensor x = map({2, channels, width == 33 ? 40 : 9, width}, 3);
      const auto plan = plan::compile([&](const Vars& in) { return Vars{f(in[0], DType::f32)}; }, {x.shape()});
      CHECK(plan.steps().at(0).how == "single-output conv");
      // A sum of n products is off by (n + 1) u sum |x w| at most; n <= 4 * 35, and no |x| or |w| here is above 5.
      CHECK(max_difference(plan.run({x}).outputs[0], eager([&](const Var& v) { return f(v, DType::f64); }, x.to(DType::f64))) <=
            141 * (140 * 25.0) / 16777216);
    }
}

TEST_CASE("plan kernels: a gate over channels and columns, or channels and rows, needs no copy") {
  for (const Shape& order : {Shape{0, 2, 1, 3}, Shape{0, 3, 2, 1}})
    for (const std::int64_t side : {3, 5, 7})
      for (const Shape& shape : {Shape{1, 20, 9, 6}, Shape{3, 300, 5, 7}, Shape{2, 17, 40, 33}}) {
        INFO(order << " " << shape << " kernel " << side);
        const Tensor w = random_tensor({1, 2, side, side}, 1);
        const auto f = [&](const Var& x, DType type) {
          const Var y = permute(max_mean(x, static_cast<int>(order[1])), order);
          const std::array<std::int64_t, 2> pad{side / 2, side / 2};
          return permute(sigmoid(conv2d(y, Var(w.to(type)), {}, {.pad_begin = pad, .pad_end = pad})), order);
        };
        const Tensor x = map(shape, 3);
        const auto plan = plan::compile([&](const Vars& in) { return Vars{f(in[0], DType::f32)}; }, {shape});
        CHECK(plan.steps().size() == 2);
        // As above with n <= 98; the mean is of at most 40 values, and sigmoid's slope is 1/4.
        const Tensor want = eager([&](const Var& v) { return f(v, DType::f64); }, x.to(DType::f64));
        CHECK(max_difference(plan.run({x}).outputs[0], want) <= (99 + 41) * (98 * 25.0) / 16777216);
      }
}

TEST_CASE("plan kernels: matrix-vector products, for few positions and for one output") {
  struct Case {
    std::int64_t positions, in, out;
  };
  for (const Case c : {Case{1, 1, 1}, {1, 37, 5}, {4, 64, 19}, {8, 64, 19}, {1, 300, 700}, {77, 33, 1}, {900, 256, 1}}) {
    INFO(c.positions << " positions, " << c.in << " to " << c.out);
    const Tensor w = random_tensor({c.out, c.in}, 1), bias = random_tensor({c.out}, 2);
    const Tensor x = random_tensor({c.positions, c.in}, 3).to(DType::f32);
    const auto f = [&](const Var& v, DType type) { return relu(linear(v, Var(w.to(type)), Var(bias.to(type)))); };
    const auto plan = plan::compile([&](const Vars& in) { return Vars{f(in[0], DType::f32)}; }, {x.shape()});
    CHECK(plan.steps().size() == 1);
    CHECK((plan.steps()[0].how == "gemv") == (c.positions < 8 || c.out == 1));
    const auto exact = eager([&](const Var& v) { return f(v, DType::f64); }, x.to(DType::f64));
    const double bound = static_cast<double>((c.in + 3) * c.in) * 25 / 16777216;
    CHECK(max_difference(plan.run({x}).outputs[0], exact) <= bound);

    const Tensor residual = random_tensor({c.positions, c.out}, 4).to(DType::f32);
    const auto g = [&](const Var& v, const Var& r, DType type) {
      return relu(linear(v, Var(w.to(type)), Var(bias.to(type))) + r);
    };
    const auto summed =
        plan::compile([&](const Vars& in) { return Vars{g(in[0], in[1], DType::f32)}; }, {x.shape(), residual.shape()});
    CHECK(summed.steps().size() == 1);
    const auto want = eager([&](const Var& v) { return g(v, Var(residual.to(DType::f64)), DType::f64); }, x.to(DType::f64));
    CHECK(max_difference(summed.run({x, residual}).outputs[0], want) <= bound);
  }
}

TEST_CASE(
    "plan kernels: ops with kernels bound to a plan, for batches of one to eight, give the same bits on one thread and two") {
  const Tensor kernels = random_tensor({24, 24, 3, 3}, 6).to(DType::f32);
  const Tensor weight = random_tensor({24}, 7).to(DType::f32), bias = random_tensor({24}, 8).to(DType::f32);
  const Tensor index = Tensor::from(std::vector<std::int64_t>{3, 0, 0, 6, 2}, {5});
  using F = std::function<Var(const Var&)>;
  struct Case {
    std::string name;
    F f;
    double terms, size;  // of the longest sum; of what it may reach, no |x| being above 6
  };
  const std::vector<Case> all{
      {"softmax over channels", [](const Var& x) { return softmax(x, 1); }, 24, 16},
      {"softmax over rows", [](const Var& x) { return softmax(x, 2); }, 9, 16},
      {"log_softmax over columns", [](const Var& x) { return log_softmax(x, 3); }, 7, 16},
      {"mean over rows", [](const Var& x) { return mean(x, {2}); }, 9, 6},
      {"sum over positions",
       [](const Var& x) {
         return sum(x, {2, 3}, false);
       },
       63, 378},
      {"mean over channels", [](const Var& x) { return mean(x, {1}); }, 24, 6},
      {"max_mean over rows", [](const Var& x) { return max_mean(x, 2, true); }, 9, 6},
      {"max_mean over columns", [](const Var& x) { return max_mean(x, 3); }, 7, 6},
      {"sum of squares", global_sum_squares, 63, 2268},
      {"layer norm", [&](const Var& x) { return layer_norm_channels(x, Var(weight), Var(bias)); }, 48, 216},
      {"layer norm without parameters", [](const Var& x) { return layer_norm_channels(x, {}, {}); }, 48, 36},
      {"group norm", [&](const Var& x) { return group_norm(x, 4, Var(weight), Var(bias)); }, 756, 216},
      {"instance norm", [](const Var& x) { return group_norm(x, 24, {}, {}); }, 126, 64},
      {"stddev", [](const Var& x) { return global_std_pool(x); }, 126, 6},
      {"deformable convolution",
       [&](const Var& x) {
         const Var w(kernels);
         return deform_conv2d(x, slice(x, 1, 0, 18), sigmoid(slice(x, 1, 9, 18)), w, Var(bias), {.pad = {1, 1}});
       },
       216, 7776},
      {"deformable convolution in groups",
       [&](const Var& x) {
         const Var w(kernels.slice(1, 0, 12));
         const DeformOptions options{.stride = {2, 1}, .pad = {1, 2}, .groups = 2, .deform_groups = 3};
         const Var offset = concat({slice(x, 1, 0, 24), slice(x, 1, 0, 24), slice(x, 1, 4, 10)}, 1);
         return deform_conv2d(x, slice(pad(offset, {0, 0, 0, 1}, {0, 0, 0, 1}), 2, 0, 9, 2), {}, w, {}, options);
       },
       108, 3888},
      {"l2", [](const Var& x) { return l2_normalize(x, 1); }, 32, 1},
      {"nearest", [](const Var& x) { return resize(x, 18, 21, Resize::nearest); }, 0, 0},
      {"bilinear", [](const Var& x) { return resize(x, 13, 9, Resize::bilinear); }, 4, 24},
      {"corners", [](const Var& x) { return resize(x, 13, 9, Resize::bilinear_align_corners); }, 4, 24},
      {"pad2d",
       [](const Var& x) {
         return pad2d(x, {1, 2, 0, 3}, PadMode::reflect);
       },
       0, 0},
      {"pad",
       [](const Var& x) {
         return pad(x, {0, 1, 0, 2}, {0, 0, 3, 0}, 0.5);
       },
       0, 0},
      {"index_select", [&](const Var& x) { return index_select(x, 3, Var(index)); }, 0, 0},
      {"attention",
       [](const Var& x) {
         const Var t = permute(reshape(x, {x.dim(0), 2, 12, 63}), {0, 1, 3, 2});
         return attention(t, scale(t, 0.5), t);
       },
       75, 216},
      {"matmul",
       [](const Var& x) {
         const Var t = reshape(x, {x.dim(0), 24, 63});
         return matmul(t, permute(t, {0, 2, 1}));
       },
       24, 864},
  };
  for (const Case& c : all)
    for (const std::int64_t n : {1, 2, 3, 8}) {
      INFO(c.name << ", batch " << n);
      const Tensor x = map({n, 24, 9, 7}, 5);
      const auto run = [&](int threads) {
        const auto plan = plan::compile([&](const Vars& in) { return Vars{c.f(in[0])}; }, {x.shape()}, {.threads = threads});
        CHECK(plan.lowered());
        return plan.run({x}).outputs[0];
      };
      const Tensor one = run(1);
      CHECK(one.values() == run(2).values());
      const Tensor want = eager(c.f, x.to(DType::f64));
      REQUIRE(one.shape() == want.shape());
      // A rounding for every term, and eight more for what stands before and behind the sum.
      CHECK(max_difference(one, want) <= (c.terms > 0 ? 2 * (c.terms + 8) * c.size / 16777216 : 0));
    }
}

TEST_CASE("plan kernels: pools and reductions of odd maps") {
  for (const Shape& shape : {Shape{1, 1, 1, 1}, Shape{2, 3, 7, 5}, Shape{3, 300, 9, 11}, Shape{1, 5, 40, 33}}) {
    INFO(shape);
    const Tensor x = map(shape, 4);
    // Sums of at most 300 or 1320 values below 6; the mean divides again.
    const double u = 6.0 * (1320 + 2) / 16777216;
    CHECK(max_difference(planned(global_avg_pool, x), eager(global_avg_pool, x)) <= 2 * u);
    CHECK(max_difference(planned(global_max_pool, x), eager(global_max_pool, x)) == 0);
    const auto both = [](const Var& v) { return max_mean(v, 1); };
    CHECK(max_difference(planned(both, x), eager(both, x)) <= 2 * u);
    if (shape[2] < 5) continue;
    for (const bool ceil : {false, true}) {
      const auto largest = [&](const Var& v) { return max_pool2d(v, {.kernel = 3, .stride = 2, .pad = 1, .ceil = ceil}); };
      CHECK(max_difference(planned(largest, x), eager(largest, x)) == 0);
      for (const bool counted : {false, true}) {
        const auto mean = [&](const Var& v) {
          return avg_pool2d(v, {.kernel = 3, .stride = 2, .pad = 1, .count_include_pad = counted, .ceil = ceil});
        };
        CHECK(max_difference(planned(mean, x), eager(mean, x)) <= 2 * 6.0 * 11 / 16777216);
      }
    }
  }
}

TEST_CASE("plan kernels: reductions of rows, columns and channels of one map are one step") {
  const std::vector<std::function<Vars(const Var&)>> sets{
      [](const Var& x) {
        return Vars{mean(x, {2}), sum(x, {3})};
      },
      [](const Var& x) {
        return Vars{max_mean(x, 2), max_mean(x, 1, true), max_mean(x, 3)};
      },
      [](const Var& x) {
        return Vars{max_mean(x, 3, true), mean(x, {2}), max_mean(x, 3), mean(x, {3}), max_mean(x, 2, true)};
      }};
  for (const Shape& shape : {Shape{1, 16, 1, 1}, Shape{2, 48, 9, 7}, Shape{1, 272, 30, 5}, Shape{3, 17, 8, 40},
                             Shape{1, 1040, 3, 3}, Shape{1, 32, 60, 600}, Shape{2, 3, 7, 5}})
    for (const auto& f : sets) {
      INFO(shape);
      const Tensor x = map(shape, 4);
      const auto run = [&](int threads) {
        const auto plan = plan::compile([&](const Vars& in) { return f(in[0]); }, {shape}, {.threads = threads});
        CHECK(plan.steps().size() == 1);
        CHECK(plan.lowered());
        return plan.run({x}).outputs;
      };
      const Tensors got = run(1), again = run(2);
      NoGrad no_grad;
      const Vars want = f(Var(x.to(DType::f64)));
      REQUIRE(got.size() == want.size());
      for (std::size_t i = 0; i < got.size(); ++i) {
        INFO("output " << i);
        REQUIRE(got[i].shape() == want[i].shape());
        CHECK(got[i].values() == again[i].values());
        // A sum of at most 1040 values below 6 in size, each addition off by u of what it has reached.
        CHECK(max_difference(got[i], want[i].value()) <= 6.0 * 1040 * (1040 + 2) / 16777216);
      }
    }
}

TEST_CASE("plan kernels: a NaN wins, as it does outside a plan") {
  Tensor x = map({1, 32, 6, 6}, 5);
  x.data<float>()[32 * 17 + 3] = std::numeric_limits<float>::quiet_NaN();
  const auto nans = [](const Tensor& t) {
    std::vector<bool> out;
    for (const double v : t.values()) out.push_back(v != v);
    return out;
  };
  for (const std::function<Var(const Var&)>& f :
       {std::function<Var(const Var&)>(global_max_pool), std::function<Var(const Var&)>(global_avg_pool),
        std::function<Var(const Var&)>([](const Var& v) { return max_mean(v, 1); }),
        std::function<Var(const Var&)>([](const Var& v) { return max_mean(v, 2); }),
        std::function<Var(const Var&)>([](const Var& v) { return max_mean(v, 3); }),
        std::function<Var(const Var&)>([](const Var& v) {
          return mean(max_mean(v, 2), {2, 3}) + mean(max_mean(v, 3), {2, 3});
        }),
        std::function<Var(const Var&)>([](const Var& v) { return max_pool2d(v, {.kernel = 2}); })})
    CHECK(nans(planned(f, x)) == nans(eager(f, x)));
}
