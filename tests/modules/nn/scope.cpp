#include "modules/nn/scope.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using fovea::test::fails_with;

namespace {

struct Tree {
  std::shared_ptr<ParamStore> store = std::make_shared<ParamStore>(3);
  Scope root{store};
  Var weight = (root / "layer1" / 0 / "conv").param("weight", {2, 3, 1, 1}, init::uniform(-1, 1));
  Var bias = (root / "layer1" / 0 / "conv").param("bias", {2}, init::zeros());
  Var mean = (root / "bn").buffer("running_mean", {2}, 0.5);
};

Tensor numbers(const Shape& shape, float first = 1) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < shape.elements(); ++i) values.push_back(first + static_cast<float>(i));
  return Tensor::from(values, shape);
}

std::map<std::string, Tensor> all_values() {
  return {{"layer1.0.conv.weight", numbers({2, 3, 1, 1})},
          {"layer1.0.conv.bias", numbers({2}, 10)},
          {"bn.running_mean", numbers({2}, 20)}};
}

}  // namespace

TEST_CASE("scope: paths make the names, in order of declaration; buffers are not trained or counted") {
  const Tree t;
  REQUIRE(t.store->entries().size() == 3);
  CHECK(t.store->entries()[0].name == "layer1.0.conv.weight");
  CHECK(t.store->entries()[1].name == "layer1.0.conv.bias");
  CHECK(t.store->entries()[2].name == "bn.running_mean");
  CHECK(t.store->entries()[2].buffer);
  CHECK(t.mean.value().values() == std::vector<double>{0.5, 0.5});
  CHECK(t.store->count() == 8);
  CHECK(t.store->trainable().size() == 2);
  CHECK(t.weight.is_parameter());
  CHECK(t.root.path().empty());
  CHECK(t.store->find("nothing") == nullptr);
}

TEST_CASE("scope: a name declared twice is shared, with another shape an error that names it") {
  const Tree t;
  const Var again = (t.root / "layer1" / 0 / "conv").param("weight", {2, 3, 1, 1}, init::zeros());
  CHECK(again.state() == t.weight.state());
  CHECK(t.store->entries().size() == 3);
  CHECK(fails_with(
      [&] {
        (t.root / "layer1" / 0 / "conv").param("weight", {2, 4, 1, 1}, init::zeros());
      },
      "layer1.0.conv.weight: declared twice, as 2x3x1x1 and 2x4x1x1"));
}

TEST_CASE("scope: the same seed declares the same values, in any instance") {
  CHECK(Tree().weight.value().values() == Tree().weight.value().values());
  ParamStore other(4);
  CHECK(other.declare("w", {2, 3, 1, 1}, init::uniform(-1, 1), false).value().values() != Tree().weight.value().values());
}

TEST_CASE("load: values are copied by name, whichever of O x I and O x I x 1 x 1 they come in") {
  const Tree t;
  auto values = all_values();
  values["layer1.0.conv.weight"] = numbers({2, 3});
  const auto version = t.weight.value().storage()->version;
  const auto report = t.store->load(values);
  CHECK(report.loaded.size() == 3);
  CHECK((report.missing.empty() && report.unused.empty()));
  CHECK(t.weight.value().values() == numbers({2, 3, 1, 1}).values());
  CHECK(t.weight.shape() == Shape{2, 3, 1, 1});
  CHECK(t.weight.value().storage()->version > version);  // reordered copies of the old weights are stale
  values["layer1.0.conv.weight"].fill(7);                // copied, not shared
  CHECK(t.weight.value().values().front() == 1);

  auto matrix = std::make_shared<ParamStore>();
  const Var linear = Scope(matrix).param("w", {2, 3}, init::zeros());
  matrix->load({{"w", numbers({2, 3, 1, 1})}});
  CHECK(linear.value().values() == numbers({2, 3}).values());
}

TEST_CASE("load: f16 and f64 values are converted") {
  const Tree t;
  auto values = all_values();
  values["layer1.0.conv.weight"] = values["layer1.0.conv.weight"].to(DType::f16);
  values["layer1.0.conv.bias"] = values["layer1.0.conv.bias"].to(DType::f64);
  t.store->load(values);
  CHECK(t.weight.dtype() == DType::f32);
  CHECK(t.weight.value().values() == numbers({2, 3, 1, 1}).values());
  CHECK(t.bias.value().values() == std::vector<double>{10, 11});
}

TEST_CASE("load: strictly, a missing or an unknown name is an error; otherwise both are reported") {
  const Tree t;
  auto values = all_values();
  values.erase("layer1.0.conv.bias");
  values["head.weight"] = numbers({1});
  CHECK(fails_with([&] { t.store->load(values); }, "no value for layer1.0.conv.bias"));
  values["layer1.0.conv.bias"] = numbers({2});
  CHECK(fails_with([&] { t.store->load(values); }, "nothing is called head.weight"));
  values.erase("layer1.0.conv.bias");
  const auto report = t.store->load(values, false);
  CHECK(report.missing == std::vector<std::string>{"layer1.0.conv.bias"});
  CHECK(report.unused == std::vector<std::string>{"head.weight"});
  CHECK(report.loaded.size() == 2);
}

TEST_CASE("load: a refused load changes nothing") {
  const Tree t;
  std::vector<std::vector<double>> before;
  for (const auto& [name, value] : t.store->values()) before.push_back(value.values());
  const auto unchanged = [&] {
    std::size_t i = 0;
    for (const auto& [name, value] : t.store->values())
      if (value.values() != before[i++]) return false;
    return true;
  };
  auto values = all_values();
  values["bn.running_mean"] = numbers({3});
  CHECK(fails_with([&] { t.store->load(values); }, "bn.running_mean: expected shape 2, got 3"));
  CHECK(fails_with([&] { t.store->load(values, false); }, "bn.running_mean"));
  CHECK(unchanged());
  values = all_values();
  values["layer1.0.conv.weight"] = numbers({3, 2});  // as many values, another matrix
  CHECK(fails_with([&] { t.store->load(values); }, "expected shape 2x3x1x1, got 3x2"));
  values["layer1.0.conv.weight"] = numbers({2, 3, 1, 1});
  values.erase("bn.running_mean");
  CHECK(fails_with([&] { t.store->load(values); }, "no value for"));
  CHECK(unchanged());
}

TEST_CASE("freeze: what a glob matches is left out of training; matching nothing is an error") {
  const Tree t;
  t.store->freeze("layer1.**.weight");
  CHECK(t.store->trainable().size() == 1);
  CHECK(!t.weight.requires_grad());
  CHECK(t.bias.requires_grad());
  CHECK(fails_with([&] { t.store->freeze("layer2.**"); }, "'layer2.**' matches no parameter"));
  CHECK(fails_with([&] { t.store->freeze(""); }, "matches no parameter"));
  t.store->freeze("**");
  CHECK(t.store->trainable().empty());
}

TEST_CASE("to: a store in f64 keeps its values and its names") {
  const Tree t;
  const auto before = t.weight.value().values();
  t.store->to(DType::f64);
  CHECK(t.weight.dtype() == DType::f64);
  CHECK(t.weight.value().values() == before);
}
