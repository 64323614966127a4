// Optimisers, schedules, clipping and the average, against formulas in double and numbers of PyTorch.
#include "modules/nn/optim.hpp"

#include <cmath>
#include <numbers>

#include "modules/core/random.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/permute.hpp"
#include "modules/ops/reduce.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using fovea::test::fails_with;

namespace {

using Values = std::vector<double>;

// A parameter whose gradient the test sets.
struct Line {
  std::shared_ptr<ParamStore> store = std::make_shared<ParamStore>();
  Var w;
  explicit Line(const Values& start) : w(Scope(store).param("w", {static_cast<std::int64_t>(start.size())}, init::zeros())) {
    w.set_value(Tensor::from(start, w.shape()));
  }
  void gradient(const Values& g) const { w.state()->grad = Tensor::from(std::vector<float>(g.begin(), g.end()), w.shape()); }
};

void close(const Values& got, const Values& want, double error) {
  REQUIRE(got.size() == want.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    INFO(i << ": " << got[i] << " against " << want[i]);
    CHECK(std::abs(got[i] - want[i]) <= error);
  }
}

// torch.optim's documented updates, one number at a time, in double.
struct Reference {
  OptimizerOptions o;
  double w = 0, momentum = 0, m = 0, v = 0;
  int n = 0;

  void step(double g, double lr) {
    ++n;
    if (o.type == "adamw") w -= lr * o.weight_decay * w;
    else g += o.weight_decay * w;
    if (o.type == "sgd") {
      momentum = n == 1 ? g : o.momentum * momentum + g;
      w -= lr * (o.nesterov ? g + o.momentum * momentum : momentum);
      return;
    }
    m = o.beta1 * m + (1 - o.beta1) * g;
    v = o.beta2 * v + (1 - o.beta2) * g * g;
    const double mean = m / (1 - std::pow(o.beta1, n)), spread = v / (1 - std::pow(o.beta2, n));
    w -= lr * mean / (std::sqrt(spread) + o.epsilon);
  }
};

const std::vector<std::pair<std::string, OptimizerOptions>>& cases() {
  static const std::vector<std::pair<std::string, OptimizerOptions>> all{
      {"sgd", {.type = "sgd", .lr = 0.1}},
      {"sgd, decay", {.type = "sgd", .lr = 0.1, .weight_decay = 0.05}},
      {"sgd, momentum", {.type = "sgd", .lr = 0.1, .momentum = 0.9, .weight_decay = 0.05}},
      {"sgd, Nesterov", {.type = "sgd", .lr = 0.1, .momentum = 0.9, .nesterov = true, .weight_decay = 0.05}},
      {"adam", {.type = "adam", .lr = 0.1, .weight_decay = 0.05}},
      {"adamw", {.type = "adamw", .lr = 0.1, .beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-4, .weight_decay = 0.05}},
  };
  return all;
}

}  // namespace

TEST_CASE("optimisers: 40 steps of 33000 values follow PyTorch's formulas") {
  constexpr std::size_t kCount = 33000;  // more than one piece of work, and a rest beside full vectors
  for (const auto& [name, o] : cases()) {
    INFO(name);
    Random random(2);
    Values start(kCount), gradient(kCount);
    for (double& v : start) v = static_cast<float>(random.normal());
    const Line line(start);
    std::vector<Reference> reference(kCount);
    for (std::size_t i = 0; i < kCount; ++i) reference[i] = {.o = o, .w = start[i]};
    Optimizer optimizer(line.store, o);
    for (int k = 0; k < 40; ++k) {
      const double lr = o.lr * (1 - k / 50.0);
      for (std::size_t i = 0; i < kCount; ++i) reference[i].step(gradient[i] = static_cast<float>(random.normal()), lr);
      line.gradient(gradient);
      optimizer.step(lr);
    }
    CHECK(optimizer.steps() == 40);
    // Each step rounds a few times in numbers of the size of |w| <= 64; errors add up over 40 steps.
    double worst = 0;
    const auto got = line.w.value().values();
    for (std::size_t i = 0; i < kCount; ++i) worst = std::max(worst, std::abs(got[i] - reference[i].w));
    CHECK(worst < 2e-5);
  }
}

TEST_CASE("optimisers: five steps as torch.optim makes them") {
  // Printed by PyTorch 1.13 in float64 with the options of cases() and the gradients below.
  const std::map<std::string, Values> torch{
      {"sgd", {0.55, -2, 0.495, 0}},
      {"sgd, momentum", {-0.008471136147, -1.494183971931, 0.454536013510, -0.751837847625}},
      {"sgd, Nesterov", {-0.370497989128, -1.508353946887, 0.442285151748, -0.653492973355}},
      {"adam", {0.511824776428, -1.688391508436, 0.014551791303, -0.278899265600}},
      {"adamw", {0.484578815951, -1.707270964231, -0.002499323996, -0.243241876098}},
  };
  for (const auto& [name, o] : cases()) {
    if (!torch.count(name)) continue;
    INFO(name);
    const Line line({1, -2, 0.5, 0});
    Optimizer optimizer(line.store, o);
    for (int k = 0; k < 5; ++k) {
      line.gradient({0.3 * (k + 1), -1 + 0.5 * k, 0.01, 2.0 - k});
      optimizer.step(0.1);
    }
    close(line.w.value().values(), torch.at(name), 2e-6);
  }
}

TEST_CASE("optimisers: frozen parameters and those without a gradient stay, and caches of weights become stale") {
  for (const auto& [name, o] : cases()) {
    INFO(name);
    const Line line({1, 2});
    const Var frozen = Scope(line.store).param("frozen", {1}, init::ones());
    const Var idle = Scope(line.store).param("idle", {1}, init::ones());
    frozen.state()->grad = Tensor::full({1}, 1);
    line.store->freeze("frozen");
    line.gradient({1, 1});
    const auto version = line.w.value().storage()->version;
    Optimizer optimizer(line.store, o);
    optimizer.step(0.1);
    CHECK(frozen.value().item() == 1);
    CHECK(idle.value().item() == 1);
    CHECK(line.w.value().storage()->version > version);
    CHECK(optimizer.state().size() == (o.type == "sgd" ? 1 : 2));
  }
}

TEST_CASE("optimisers: restored state goes on bit for bit") {
  for (const auto& [name, o] : cases()) {
    INFO(name);
    const auto run = [&, &o = o](bool interrupted) {
      const Line line({1, -2, 0.5});
      auto optimizer = std::make_unique<Optimizer>(line.store, o);
      for (int k = 0; k < 8; ++k) {
        if (interrupted && k == 3) {
          const auto state = optimizer->state();
          const auto steps = optimizer->steps();
          auto next = std::make_unique<Optimizer>(line.store, o);
          next->restore(state, steps);
          optimizer = std::move(next);
        }
        line.gradient({0.1 * k, 1, -0.7});
        optimizer->step(0.05);
      }
      return line.w.value().values();
    };
    CHECK(run(true) == run(false));
  }
}

TEST_CASE("optimisers: wrong options and state that fits no parameter are refused") {
  const Line line({1, 2});
  CHECK(fails_with([&] { Optimizer(line.store, {.type = "adma"}); }, "got 'adma'"));
  CHECK(fails_with([&] { Optimizer(line.store, {.beta2 = 1}); }, "[0, 1)"));
  CHECK(fails_with([&] { Optimizer(line.store, {.type = "sgd", .momentum = -0.1}); }, "[0, 1)"));
  CHECK(fails_with([&] { Optimizer(line.store, {.epsilon = NAN}); }, "epsilon"));
  Optimizer optimizer(line.store, {});
  CHECK(fails_with([&] { optimizer.restore({{"w.m", Tensor::zeros({3})}}, 1); }, "w.m"));
  CHECK(fails_with([&] { optimizer.restore({{"u.m", Tensor::zeros({2})}}, 1); }, "u.m"));
  CHECK(fails_with([&] { optimizer.restore({{"w.m", Tensor::zeros({2}, DType::f16)}}, 1); }, "w.m"));
  CHECK(optimizer.steps() == 0);
}

TEST_CASE("clipping: gradients above the limit are scaled together, others untouched") {
  const Line line({0, 0});
  const Var b = Scope(line.store).param("b", {1}, init::zeros());
  line.gradient({3, 4});
  b.state()->grad = Tensor::full({1}, 12);
  CHECK(clip_gradients(*line.store, 0) == Approx(13));  // measures
  CHECK(b.grad().item() == 12);
  CHECK(clip_gradients(*line.store, 13.5) == Approx(13));
  CHECK(b.grad().item() == 12);
  CHECK(clip_gradients(*line.store, 6.5) == Approx(13));
  CHECK(b.grad().item() == Approx(6));
  close(line.w.grad().values(), {1.5, 2}, 1e-6);
  line.store->zero_grad();
  CHECK(clip_gradients(*line.store, 1) == 0);
}

TEST_CASE("clipping: gradients that come as views, or one for two parameters, are scaled once each") {
  const auto store = std::make_shared<ParamStore>();
  const Scope scope(store);
  const Var a = scope.param("a", {2, 3}, init::ones()), b = scope.param("b", {2, 3}, init::ones()),
            turned = scope.param("turned", {3, 2}, init::ones()), repeated = scope.param("repeated", {2}, init::ones());
  const Var y = (a + b) * permute(turned, {1, 0});
  (sum(y, {0, 1}, false) + sum(repeated, {0}, false)).backward();
  // Four gradients of 1, 1, 2 and 1 in 6, 6, 6 and 2 places.
  const double norm = std::sqrt(6 + 6 + 6 * 4 + 2);
  CHECK(clip_gradients(*store, 1) == Approx(norm));
  for (const Var& v : {a, b, repeated})
    for (const double g : v.grad().values()) CHECK(g == Approx(1 / norm));
  for (const double g : turned.grad().values()) CHECK(g == Approx(2 / norm));
}

TEST_CASE("schedules: the factor at key steps") {
  const ScheduleOptions constant{.type = "constant", .warmup = 4};
  CHECK(schedule(constant, 0) == Approx(0.25));
  CHECK(schedule(constant, 3) == Approx(1));
  CHECK(schedule(constant, 1000) == 1);
  CHECK(schedule({}, 0) == 1);

  const ScheduleOptions cosine{.type = "cosine", .steps = 110, .warmup = 10, .floor = 0.1};
  CHECK(schedule(cosine, 0) == Approx(0.1));
  CHECK(schedule(cosine, 4) == Approx(0.5));
  CHECK(schedule(cosine, 10) == Approx(1));
  CHECK(schedule(cosine, 60) == Approx(0.55));
  CHECK(schedule(cosine, 35) == Approx(0.1 + 0.9 * 0.5 * (1 + std::numbers::sqrt2 / 2)));
  CHECK(schedule(cosine, 110) == Approx(0.1));
  CHECK(schedule(cosine, 500) == Approx(0.1));

  const ScheduleOptions step{.type = "step", .every = 30, .gamma = 0.1};
  CHECK(schedule(step, 29) == Approx(1));
  CHECK(schedule(step, 30) == Approx(0.1));
  CHECK(schedule(step, 89) == Approx(0.01));
  CHECK(fails_with([] { schedule({.type = "step"}, 0); }, "positive interval"));
  CHECK(fails_with([] { schedule({.type = "cosin"}, 0); }, "got 'cosin'"));
}

TEST_CASE("average: a moving mean that fades early values; buffers are copied") {
  Line line({1});
  Var mean = Scope(line.store).buffer("mean", {1}, 5);
  Ema ema(line.store, 0.5);
  double expected = 1;
  for (int k = 0; k < 20; ++k) {
    line.w.set_value(Tensor::full({1}, k));
    mean.set_value(Tensor::full({1}, 10 + k));
    ema.update();
    const double keep = std::min(0.5, (1.0 + k) / (10.0 + k));
    expected = keep * expected + (1 - keep) * k;
    CHECK(ema.values().at("w").item() == Approx(expected).epsilon(1e-6));
    CHECK(ema.values().at("mean").item() == 10 + k);
  }
  CHECK(ema.count() == 20);
  CHECK(line.w.value().item() == 19);  // the weights themselves are left alone

  Ema other(line.store, 0.5);
  other.restore(ema.values(), ema.count());
  ema.update();
  other.update();
  CHECK(other.values().at("w").item() == ema.values().at("w").item());
  CHECK(fails_with([&] { other.restore({}, 1); }, "ema: no value for"));
  CHECK(fails_with([&] { Ema(line.store, 1); }, "[0, 1)"));
}
