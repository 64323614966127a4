#include "modules/nn/registry.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using fovea::test::fails_with;

namespace {

struct Identity final : MapBlock {
  using MapBlock::MapBlock;
  Var forward(const Var& x) const override { return x; }
};

Registry::Entry entry(const std::string& name) {
  return {name, "text", "paper", [](const Scope& scope, Features, Args& args) {
            args.get("known", 1, "an option");
            return std::make_unique<Identity>(scope);
          }};
}

}  // namespace

TEST_CASE("registry: an unknown name is an error with the nearest") {
  CHECK(fails_with([] { Registry::global().at("a2n_lihgt"); }, "called 'a2n_lihgt'; did you mean 'a2n_light'?"));
  CHECK(fails_with([] { Registry::global().at("something_else_altogether"); }, "no block or network is called"));
}

TEST_CASE("registry: a second block of one name and options that the block does not know are errors") {
  Registry r;
  r.add(entry("one"));
  CHECK(fails_with([&] { r.add(entry("one")); }, "'one' is registered twice"));
  const Scope scope(std::make_shared<ParamStore>());
  CHECK(r.make("one", scope, 4, Args("w", {{"known", "2"}})) != nullptr);
  CHECK(fails_with([&] { r.make("one", scope, 4, Args("w", {{"knwon", "2"}})); }, "did you mean 'known'?"));
  CHECK(r.names() == std::vector<std::string>{"one"});
}

TEST_CASE("registry: every entry says what it is and where it comes from") {
  for (const std::string& name : Registry::global().names()) {
    INFO(name);
    CHECK(!Registry::global().at(name).text.empty());
    CHECK(!Registry::global().at(name).paper.empty());
  }
}

TEST_CASE("block: one map in means one, and errors carry the block's path") {
  const Scope scope = Scope(std::make_shared<ParamStore>()) / "neck" / "gate";
  const auto block = Registry::global().make("pixel_attention", scope, 4);
  const Var x(Tensor::zeros({1, 4, 2, 2}));
  CHECK(fails_with([&] { (*block)(Vars{x, x}); }, "neck.gate: expected one map, got 2"));
  CHECK(fails_with([&] { (*block)(Var(Tensor::zeros({1, 5, 2, 2}))); }, "neck.gate.conv"));
}

TEST_CASE("registry: a program's own block is known to whoever asks for it by name; a name that is taken is an error") {
  const auto own = [](Registry& r) {
    Registry::Entry e = entry("part_of_a_test");
    e.kind = Kind::part;  // the tests of all blocks leave it alone
    r.add(std::move(e));
  };
  CHECK(fails_with([] { Registry::global().at("part_of_a_test"); }, "no block or network is called"));
  Registry::extend(own);
  CHECK(Registry::global().make("part_of_a_test", Scope(std::make_shared<ParamStore>()), 4) != nullptr);
  CHECK(fails_with([&] { Registry::extend(own); }, "'part_of_a_test' is registered twice"));
}
