// Whole networks: what a plan gives is what the eager forward gives but for rounding (tests/support/rounding.hpp says how much that is).
#include "modules/autograd/tap.hpp"
#include "modules/core/memory.hpp"
#include "modules/core/random.hpp"
#include "modules/core/threads.hpp"
#include "modules/model.hpp"
#include "modules/nn/optim.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/rounding.hpp"
#include "tests/support/small_networks.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

// The output, then the taps that `keep` asks for.
Tensors eager(const Model& model, const Tensor& x, const std::string& keep = {}) {
  NoGrad no_grad;
  const ThreadScope thread_scope;
  TapScope taps(keep);
  Tensors out{model.forward(Var(x)).value()};
  for (const auto& [name, v] : taps.kept) out.push_back(v.value());
  return out;
}

std::int64_t longest_sum(const Model& model, const Shape& input) {
  const Trace g = trace({input}, [&](const Vars& in) { return Vars{model.forward(in[0])}; });
  std::int64_t longest = 1;
  for (const TraceNode& n : g.nodes) {
    Shapes in, out;
    for (const int i : n.inputs) in.push_back(i < 0 ? Shape{} : g.values[static_cast<std::size_t>(i)].shape);
    for (const int i : n.outputs) out.push_back(g.values[static_cast<std::size_t>(i)].shape);
    longest = std::max(longest, n.op->multiply_adds(in, out) / std::max<std::int64_t>(1, out[0].elements()));
    longest =
        std::max(longest, (in.empty() ? 0 : in[0].elements()) / std::max<std::int64_t>(1, out[0].elements()));  // reductions
  }
  return longest;
}

void check_equal(const Model& model, const plan::Plan& plan, const Tensor& x, const std::string& keep = {}) {
  const auto bounds =
      rounding_bounds(floating_parameters(model), longest_sum(model, x.shape()), [&] { return eager(model, x, keep); });
  const Tensors want = eager(model, x, keep), got = planned(plan, x);
  REQUIRE(got.size() == want.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    INFO("output " << i << " of " << got.size() << ", shape " << want[i].shape());
    REQUIRE(got[i].shape() == want[i].shape());
    CHECK(max_difference(got[i], want[i]) <= bounds[i]);
  }
}

void check_compiled(const Model& model, const Tensor& x) { check_equal(model, model.compile(x.shape()), x); }

}  // namespace

TEST_CASE("plan: every block in a residual network equals eager") {
  for (const std::string& block : blocks())
    CHECK(check_block_in(kSmall.front(), "backbone.layer1.0.pre_add", block, check_compiled));
}

TEST_CASE("plan: every block in every kind of slot of every backbone equals eager", "[slow]") {
  for (const Small& s : kSmall) {
    const auto all = slot_paths(Model::from_recipe(recipe(s, "")));
    std::size_t turn = 0;
    std::map<std::string, int> fitted;
    for (const auto& [kind, at] : all)
      for (const std::string& block : blocks()) fitted[block] += check_block_in(s, at[turn++ % at.size()], block, check_compiled);
    for (const auto& [block, count] : fitted) {
      INFO(s.backbone << " " << block);
      CHECK(count > 0);
    }
  }
}

TEST_CASE("plan: every backbone, plain, batches of one to three and odd sizes") {
  for (const Small& s : kSmall) {
    INFO(s.backbone);
    const Model model = Model::from_recipe(recipe(s, ""), 3);
    scatter(model, 7);
    const bool any_size = s.backbone.find("it_tiny") == std::string::npos && s.backbone.find("swin") == std::string::npos &&
                          s.backbone.find("unet") == std::string::npos;
    for (std::int64_t n = 1; n <= 3; ++n) {
      const Tensor x = pictures({n, 3, s.height + (any_size ? 2 * n - 1 : 0), s.width + (any_size ? n : 0)}, 5);
      const plan::Plan plan = model.compile(x.shape());
      CHECK(plan.lowered());
      check_equal(model, plan, x);
    }
  }
}

TEST_CASE("plan: kept taps are eager's, and fusion goes on around them") {
  const Model model = Model::from_recipe(kCbam, 3);
  scatter(model, 9);
  const Tensor x = pictures({2, 3, 37, 41}, 4);
  for (const std::string keep : {"**.spatial", "**.channel", "**"}) {
    INFO(keep);
    const plan::Plan plan = model.compile(x.shape(), {.keep = keep});
    CHECK(plan.run({x}).taps.size() >= 2);
    check_equal(model, plan, x, keep);
  }
  CHECK(model.compile(x.shape()).run({x}).taps.empty());
}

TEST_CASE("plan: fed taps are inputs, and one plan serves all their values") {
  const Model model = Model::from_recipe(kCbam, 3);
  scatter(model, 9);
  const Tensor x = pictures({2, 3, 37, 41}, 4);
  const std::string gate = "backbone.layer2.0.pre_add.cbam.channel";
  const Shape shape{2, 128, 1, 1};
  const plan::Plan plan = model.compile(x.shape(), {.keep = "**.spatial", .feeds = {{gate, shape}}});
  Tensors parameters;
  for (const auto& e : model.params()->entries()) parameters.push_back(e.value.value());
  std::vector<double> before;
  for (std::uint64_t seed = 1; seed < 4; ++seed) {
    const Tensor feed = random_tensor(shape, seed).to(DType::f32).contiguous(Layout::channels_last);
    const auto fed = [&] {
      NoGrad no_grad;
      const ThreadScope thread_scope;
      TapScope taps("**.spatial", {{gate, feed}});
      Tensors out{model.forward(Var(x)).value()};
      for (const auto& [name, v] : taps.kept) out.push_back(v.value());
      return out;
    };
    const auto bounds = rounding_bounds(parameters, longest_sum(model, x.shape()), fed);
    const auto r = plan.run({x, feed});
    const Tensors want = fed();
    REQUIRE(r.taps.size() + 1 == want.size());
    CHECK(max_difference(r.outputs[0], want[0]) <= bounds[0]);
    for (std::size_t i = 0; i < r.taps.size(); ++i) CHECK(max_difference(r.taps[i].value, want[i + 1]) <= bounds[i + 1]);
    CHECK(r.outputs[0].values() != before);
    before = r.outputs[0].values();
    CHECK(model.run(x, {.keep = "**.spatial", .feeds = {{gate, feed}}}).output.values() == before);
  }
  CHECK(fails_with([&] { model.compile(x.shape(), {.feeds = {{gate, {2, 64, 1, 1}}}}); }, "a fed tap wants shape 2x128x1x1"));
}

TEST_CASE("plan: follows a change of the weights") {
  const Model model = Model::from_recipe(kCbam, 3);
  const Tensor x = pictures({1, 3, 33, 33}, 4);
  const plan::Plan plan = model.compile(x.shape());
  const Tensor before = plan.run({x}).outputs[0];
  scatter(model, 10);
  CHECK(max_difference(plan.run({x}).outputs[0], before) > 1e-3);
  check_equal(model, plan, x);
  const Model other = Model::from_recipe(kCbam, 8);
  model.params()->load(other.params()->values());
  check_equal(model, plan, x);
}

TEST_CASE("plan: one thread and two give the same bits") {
  const Model model = Model::from_recipe(kCbam, 3);
  const Tensor x = pictures({2, 3, 65, 57}, 4);
  const auto with = [&](int threads) { return model.compile(x.shape(), {.threads = threads}).run({x}).outputs[0].values(); };
  CHECK(with(1) == with(2));
}

TEST_CASE(
    "plan: a lowered network allocates its results and its arena, and nothing else, in an arena smaller than all values "
    "together") {
  const Model model = Model::from_recipe(kCbam, 3);
  const Tensor x = pictures({1, 3, 64, 64}, 4);
  const plan::Plan plan = model.compile(x.shape());
  for (const auto& step : plan.steps()) {
    INFO(step.path << " " << step.ops.front());
    CHECK(step.how != "eager op");
  }
  plan.run({x});
  const auto before = memory::stats().requests;
  const Tensor y = plan.run({x}).outputs[0];
  CHECK(memory::stats().requests - before == 2);  // the arena is the last run's block
  CHECK(plan.memory().arena < plan.memory().without_sharing / 2);
}

TEST_CASE("plan: attention fuses to reductions, the gates' layers and one elementwise step on the map") {
  const Model model = Model::from_recipe(kCbam, 3);
  const plan::Plan plan = model.compile({1, 3, 64, 64});
  std::vector<std::string> found;
  for (const auto& step : plan.steps())
    if (step.path.find("layer2.0") != std::string::npos && step.output[1] >= 128 && step.output.rank() == 4 && step.output[2] > 1)
      found.push_back(step.ops.back());
  // The last convolution, the product with both gates, and the shortcut's convolution, which adds it and applies relu.
  CHECK(found == std::vector<std::string>{"batch_norm", "gate", "relu"});
}

TEST_CASE("plan: says what does not fit") {
  const Model model = Model::from_recipe(kCbam, 3);
  const plan::Plan plan = model.compile({1, 3, 32, 32});
  CHECK(fails_with([&] { plan.run({Tensor::zeros({1, 3, 32, 33})}); }, "plan: input 0: expected 1x3x32x32"));
  CHECK(fails_with([&] { model.compile({1, 3, 32, 32}, {.precision = DType::f16}); }, "expected precision f32 or bf16, got f16"));
}
