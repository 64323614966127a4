// The plan's own kernels where networks seldom take them: odd widths, many planes, NaN.
#include <limits>

#include "modules/core/random.hpp"
#include "modules/ops/conv2d.hpp"
#include "modules/ops/global_pool.hpp"
#include "modules/ops/max_mean.hpp"
#include "modules/ops/pool2d.hpp"
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

TEST_CASE("plan kernels: few planes to one, at all widths") {
  for (const std::int64_t width : {1, 7, 16, 17, 32, 33, 64, 65, 130})
    for (const std::int64_t planes : {1, 2, 4}) {
      INFO(width << " wide, " << planes << " planes");
      const Tensor w = random_tensor({1, planes, 7, 5}, 1), bias = random_tensor({1}, 2);
      const auto f = [&](const Var& x, DType type) {
        return conv2d(x, Var(w.to(type)), Var(bias.to(type)), {.pad_begin = {3, 2}, .pad_end = {3, 2}});
      };
      const Tensor x = map({2, planes, 9, width}, 3);
      const auto plan = plan::compile([&](const Vars& in) { return Vars{f(in[0], DType::f32)}; }, {x.shape()});
      CHECK(plan.steps().at(0).how == "few planes");
      // A sum of n products is off by (n + 1) u sum |x w| at most; n <= 4 * 35, and no |x| or |w| here is above 5.
      CHECK(max_difference(plan.run({x}).outputs[0], eager([&](const Var& v) { return f(v, DType::f64); }, x.to(DType::f64))) <=
            141 * (140 * 25.0) / 16777216);
    }
}

TEST_CASE("plan kernels: pools and statistics of odd maps") {
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

TEST_CASE("plan kernels: a NaN wins, as it does outside a plan") {
  Tensor x = map({1, 20, 6, 6}, 5);
  x.data<float>()[20 * 17 + 3] = std::numeric_limits<float>::quiet_NaN();
  const auto nans = [](const Tensor& t) {
    std::vector<bool> out;
    for (const double v : t.values()) out.push_back(v != v);
    return out;
  };
  for (const std::function<Var(const Var&)>& f :
       {std::function<Var(const Var&)>(global_max_pool), std::function<Var(const Var&)>(global_avg_pool),
        std::function<Var(const Var&)>([](const Var& v) { return max_mean(v, 1); }),
        std::function<Var(const Var&)>([](const Var& v) { return max_pool2d(v, {.kernel = 2}); })})
    CHECK(nans(planned(f, x)) == nans(eager(f, x)));
}
