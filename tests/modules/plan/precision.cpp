// Plans in bf16: against plans in f32 and against the eager forward in bf16, within what the rounding of stored values allows
// (tests/support/rounding.hpp); kernels exactly, on values that bf16 holds.
#include <limits>
#include <map>

#include "modules/autograd/tap.hpp"
#include "modules/core/threads.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/global_pool.hpp"
#include "modules/ops/max_mean.hpp"
#include "modules/ops/pool2d.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/unary.hpp"
#include "tests/support/bf16.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"
#include "tests/support/rounding.hpp"
#include "tests/support/small_networks.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

// Roundings between two sums. A plan: the weight, the map after a convolution, an elementwise step and a pool. Op by op: the weight and the map
// after each op; no block has more of them than that from one sum to the next.
constexpr int kPlan = 4, kEager = 12;

Tensors eager(const Model& model, const Tensor& x, const std::string& keep) {
  NoGrad no_grad;
  const ThreadScope thread_scope;
  const Precision compute(DType::bf16);
  TapScope taps(keep);
  Tensors out{model.forward(Var(x)).value()};
  for (const auto& [name, v] : taps.kept) out.push_back(v.value());
  return out;
}

void check_close(const Model& model, const Tensor& x, const std::string& keep) {
  const plan::Plan fine = model.compile(x.shape(), {.keep = keep}),
                   coarse = model.compile(x.shape(), {.keep = keep, .precision = DType::bf16});
  const auto run = [&] { return planned(fine, x); };
  const Tensors weights = matrices(model), want = run(), got = planned(coarse, x), other = eager(model, x, keep);
  const auto one = storage_bounds(weights, kPlan, run), two = storage_bounds(weights, kEager, run);
  REQUIRE(got.size() == want.size());
  REQUIRE(got.size() == other.size());
  CHECK((got.size() > 1) == !keep.empty());
  // It did compute in bf16: unless random weights have left a network whose output does not depend on its picture.
  const Tensor blank = Tensor::full(x.shape(), 0.5, DType::f32, Layout::channels_last);
  CHECK((max_difference(got[0], want[0]) > 0 || max_difference(planned(fine, blank)[0], want[0]) == 0));
  for (std::size_t i = 0; i < got.size(); ++i) {
    INFO("output " << i << " of " << got.size() << ", shape " << want[i].shape());
    CHECK(got[i].dtype() == DType::f32);
    CHECK(max_difference(got[i], want[i]) <= one[i]);
    CHECK(max_difference(got[i], other[i]) <= one[i] + two[i]);
  }
}

void check_alone(const Model& model, const Tensor& x) { check_close(model, x, {}); }

plan::Plan compiled(const std::function<Vars(const Var&)>& f, const Shape& shape, DType precision) {
  return plan::compile([&](const Vars& in) { return f(in[0]); }, {shape}, {.precision = precision});
}

// Of numbers that bf16 holds.
Tensor round_map(const Shape& shape, std::uint64_t seed) { return pictures(shape, seed).to(DType::bf16).to(DType::f32); }

std::vector<std::string> conversions(const plan::Plan& plan) {
  std::vector<std::string> out;
  for (const auto& s : plan.steps())
    if (s.ops.front().rfind("to ", 0) == 0) out.push_back(s.ops.front());
  return out;
}

}  // namespace

TEST_CASE("plan in bf16: every block in a residual network is close to f32 and to eager") {
  if (!has_bf16()) return;
  for (const std::string& block : blocks())
    CHECK(check_block_in(kSmall.front(), "backbone.layer1.0.pre_add", block, check_alone));
}

TEST_CASE("plan in bf16: every block in every kind of slot of every backbone", "[slow]") {
  if (!has_bf16()) return;
  for (const Small& s : kSmall) {
    const auto all = slot_paths(Model::from_recipe(recipe(s, "")));
    std::size_t turn = 0;
    std::map<std::string, int> fitted;
    for (const auto& [kind, at] : all)
      for (const std::string& block : blocks()) fitted[block] += check_block_in(s, at[turn++ % at.size()], block, check_alone);
    for (const auto& [block, count] : fitted) {
      INFO(s.backbone << " " << block);
      CHECK(count > 0);
    }
  }
}

TEST_CASE("plan in bf16: every backbone, plain, batches of one to three and odd sizes") {
  if (!has_bf16()) return;
  for (const Small& s : kSmall) {
    INFO(s.backbone);
    const Model model = Model::from_recipe(recipe(s, ""), 3);
    scatter(model, 7);
    const bool any_size = s.backbone.find("it_tiny") == std::string::npos && s.backbone.find("swin") == std::string::npos &&
                          s.backbone.find("unet") == std::string::npos;
    for (std::int64_t n = 1; n <= 3; ++n)
      check_alone(model, pictures({n, 3, s.height + (any_size ? 2 * n - 1 : 0), s.width + (any_size ? n : 0)}, 5));
  }
}

TEST_CASE("plan in bf16: kept taps come in f32; changed weights are followed") {
  if (!has_bf16()) return;
  const Model model = Model::from_recipe(kCbam, 3);
  scatter(model, 9);
  const Tensor x = pictures({2, 3, 37, 41}, 4);
  for (const std::string keep : {"**.spatial", "**"}) check_close(model, x, keep);
  const plan::Plan plan = model.compile(x.shape(), {.precision = DType::bf16});
  CHECK(plan.lowered());
  const Tensor before = plan.run({x}).outputs[0];
  scatter(model, 10);
  const Tensor after = plan.run({x}).outputs[0];
  CHECK(max_difference(after, before) > 1e-3);
  CHECK(after.values() == model.compile(x.shape(), {.precision = DType::bf16}).run({x}).outputs[0].values());
}

TEST_CASE("plan in bf16: one thread and two give the same bits, and so does Model::run") {
  if (!has_bf16()) return;
  const Model model = Model::from_recipe(kCbam, 3);
  const Tensor x = pictures({2, 3, 65, 57}, 4);
  const auto with = [&](int threads) {
    return model.compile(x.shape(), {.precision = DType::bf16, .threads = threads}).run({x}).outputs[0].values();
  };
  CHECK(with(1) == with(2));
  CHECK(model.run(x, {.precision = DType::bf16}).output.values() == with(1));
  CHECK(model.run(x).values() != with(1));
}

TEST_CASE("plan in bf16: maps are bf16, gates and statistics f32, and the picture alone is converted") {
  if (!has_bf16()) return;
  const Model model = Model::from_recipe(kCbam, 3);
  const Tensor x = pictures({1, 3, 64, 64}, 4);
  const plan::Plan plan = model.compile(x.shape(), {.precision = DType::bf16}), fine = model.compile(x.shape());
  CHECK(conversions(plan) == std::vector<std::string>{"to bf16"});
  CHECK(conversions(fine).empty());
  int maps = 0;
  for (const auto& s : plan.steps()) {
    if (s.ops.front() == "to bf16") continue;
    INFO(s.path << " " << s.ops.front() << " " << s.output);
    const bool map = s.output.rank() == 4 && s.output[1] > 4 && s.output[2] > 1;
    CHECK((s.type == DType::bf16) == map);
    maps += map;
  }
  CHECK(maps > 4);
  CHECK(plan.memory().without_sharing < fine.memory().without_sharing * 0.6);
}

TEST_CASE("plan in bf16: pools, statistics and chains are those of f32 on values that bf16 holds") {
  if (!has_bf16()) return;
  const std::vector<std::function<Var(const Var&)>> readers{
      [](const Var& v) { return global_avg_pool(v); },
      [](const Var& v) { return global_max_pool(v); },
      [](const Var& v) { return max_mean(v, 1); },
      [](const Var& v) { return max_mean(v, 2); },
      [](const Var& v) { return mean(v, {2}) + mean(v, {3}); },
      [](const Var& v) { return max_mean(v * sigmoid(global_max_pool(v)), 1); },
      [](const Var& v) { return max_pool2d(v, {.kernel = 3, .stride = 2, .pad = 1}); },
      [](const Var& v) { return avg_pool2d(v, {.kernel = 3, .stride = 2, .pad = 1}); },
      [](const Var& v) { return tanh(v * sigmoid(global_avg_pool(v)) + v); },
  };
  for (const Shape& shape : {Shape{2, 5, 7, 5}, Shape{3, 300, 9, 11}, Shape{1, 17, 40, 33}, Shape{1, 4000, 5, 5}}) {
    Tensor x = round_map(shape, 4);
    for (const bool nan : {false, true}) {
      if (nan) x.data<float>()[shape[1] * 17 + 3] = std::numeric_limits<float>::quiet_NaN();
      for (std::size_t i = 0; i < readers.size(); ++i) {
        INFO(shape << " reader " << i << (nan ? " with a NaN" : ""));
        // The first output is a stored map: bf16 in the one plan, f32 in the other.
        const auto f = [&](const Var& v) {
          const Var stored = relu(v);
          return Vars{stored, readers[i](stored)};
        };
        const plan::Plan coarse = compiled(f, shape, DType::bf16);
        CHECK(coarse.steps().front().type == DType::bf16);
        const auto got = coarse.run({x}).outputs, want = compiled(f, shape, DType::f32).run({x}).outputs;
        for (std::size_t k = 0; k < 2; ++k) {
          const auto a = got[k].values(), b = want[k].values();
          REQUIRE(a.size() == b.size());
          bool equal = true;
          for (std::size_t j = 0; j < a.size(); ++j) equal &= a[j] == b[j] || (a[j] != a[j] && b[j] != b[j]);
          CHECK(equal);
        }
      }
    }
  }
}
