// Upscaling networks: sizes, parameter counts, and how far one input pixel reaches.
#include "modules/heads/upscale.hpp"

#include <cmath>

#include "modules/autograd/apply.hpp"
#include "modules/nn/registry.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;

namespace {

using Options = std::map<std::string, std::string>;

struct Network {
  std::shared_ptr<ParamStore> store = std::make_shared<ParamStore>(5);
  std::unique_ptr<Block> block;
  Network(const std::string& name, const Options& options) {
    block = Registry::global().make(name, Scope(store), 3, Args("test", options));
  }
  const UpscaleFacts& facts() const { return dynamic_cast<const UpscaleNetwork&>(*block).facts(); }
};

// The farthest input distance at which changing one pixel changes any output, statistics held. In double, where nothing is lost.
std::int64_t reach(const Network& n) {
  n.store->to(DType::f64);
  const Precision precision(DType::f64);
  const NoGrad no_grad;
  const UpscaleFacts facts = n.facts();
  const std::int64_t side = 2 * facts.radius + 7, middle = side / 2, s = facts.scale;
  Tensor x = test::random_tensor({1, 3, side, side}, 1, 0.5, 0.2);
  std::map<std::string, Var> feeds;
  Tensor before;
  {
    TapScope taps(facts.statistics);
    before = (*n.block)(Var(x)).value();
    for (const auto& [name, value] : taps.kept) feeds[name] = value;
  }
  CHECK(!feeds.empty());
  Tensor changed = x.clone();
  for (int c = 0; c < 3; ++c) changed.slice(1, c, c + 1).slice(2, middle, middle + 1).slice(3, middle, middle + 1).fill(3.0);
  TapScope taps("", feeds);
  const auto a = before.values(), b = (*n.block)(Var(changed)).value().values();
  std::int64_t farthest = -1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i]) continue;
    const auto at = static_cast<std::int64_t>(i) % (side * s * side * s);
    const std::int64_t y = at / (side * s) / s, column = at % (side * s) / s;
    farthest = std::max({farthest, std::abs(y - middle), std::abs(column - middle)});
  }
  return farthest;
}

}  // namespace

TEST_CASE("upscaling networks: output sizes and facts at every scale") {
  for (const std::string name : {"a2n", "a2n_light"})
    for (const int scale : {2, 3, 4}) {
      INFO(name << " x" << scale);
      const Network n(name, {{"scale", std::to_string(scale)}, {"blocks", "2"}, {"width", "8"}});
      CHECK(n.facts().scale == scale);
      const Trace graph = trace({{2, 3, 5, 7}}, [&](const Vars& in) { return Vars{(*n.block)(in[0])}; });
      CHECK(graph.values[static_cast<std::size_t>(graph.outputs[0])].shape == Shape{2, 3, 5 * scale, 7 * scale});
      TapScope taps(n.facts().maps);
      (*n.block)(Var(Tensor::full({1, 3, 4, 4}, 0.5)));
      CHECK(taps.kept.size() == 2);
    }
}

TEST_CASE("upscaling networks: nothing outside the stated radius changes, and the radius is nearly tight") {
  for (const std::string name : {"a2n", "a2n_light"})
    for (const std::string scale : {"2", "3", "4"})
      for (const std::string blocks : {"1", "2"}) {
        INFO(name << " x" << scale << ", " << blocks << " blocks");
        Options o{{"scale", scale}, {"blocks", blocks}, {"width", "4"}};
        if (name == "a2n") o["tail_width"] = "4";
        const Network n(name, o);
        const std::int64_t distance = reach(n);
        CHECK(distance <= n.facts().radius);
        CHECK(distance >= n.facts().radius - 2);  // A2N rounds the part of its tail up
      }
  const Network wide("a2n_light", {{"scale", "2"}, {"blocks", "2"}, {"width", "4"}, {"plain_kernel", "7"}});
  CHECK(wide.facts().radius == 9);
  CHECK(reach(wide) <= 9);
  CHECK(reach(wide) >= 8);
}

TEST_CASE("a2n: as many parameters as its authors' code; the light family stays below 300,000") {
  const auto count = [](const std::string& name, const std::string& scale) {
    return Network(name, {{"scale", scale}}).store->count();
  };
  CHECK(count("a2n", "2") == 1036443);
  CHECK(count("a2n", "4") == 1047459);
  for (const std::string scale : {"2", "3", "4"}) CHECK(count("a2n_light", scale) <= 300000);
}

TEST_CASE("upscaling networks: options out of range are refused by name") {
  for (const std::string name : {"a2n", "a2n_light"}) {
    INFO(name);
    const auto make = [&](const Options& o) { Network(name, o); };
    for (const std::string scale : {"1", "5", "0", "-2"})
      CHECK(test::fails_with([&] { make({{"scale", scale}}); }, name + ": expected RGB"));
    CHECK(test::fails_with([&] { make({}); }, "scale is missing"));
    CHECK(test::fails_with([&] { make({{"scale", "2"}, {"blocks", "0"}}); }, "blocks: expected a whole number from 1"));
    CHECK(test::fails_with([&] { make({{"scale", "2"}, {"width", "3"}}); }, "too small"));
    CHECK(test::fails_with([&] { make({{"scale", "2"}, {"widht", "8"}}); }, "did you mean 'width'?"));
    CHECK(test::fails_with(
        [&] {
          Registry::global().make(name, Scope(std::make_shared<ParamStore>()), 1, Args("t", {{"scale", "2"}}));
        },
        "1 channels"));
  }
  CHECK(test::fails_with([&] { Network("a2n_light", {{"scale", "2"}, {"plain_kernel", "2"}}); }, "odd plain_kernel"));
}
