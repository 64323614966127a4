// Slots: rules by glob, several blocks, blocks of every kind, starting as the identity, and what is said when nothing matches.
#include "modules/nn/slot.hpp"

#include "modules/io/yaml.hpp"
#include "modules/network.hpp"
#include "modules/ops/reduce.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using fovea::test::fails_with;
using fovea::test::max_difference;
using fovea::test::random_tensor;

namespace {

std::string with_rules(const std::string& rules) {
  return "backbone: {type: resnet, layers: [1, 1], widths: [8, 16], stem: cifar}\n"
         "attention:\n" +
         rules + "head: {type: classify, classes: 3}\n";
}

struct Built {
  std::shared_ptr<ParamStore> params = std::make_shared<ParamStore>(3);
  Network network;
  explicit Built(const std::string& yaml) : network(Yaml::parse(yaml, "recipe"), params) {}
  Tensor operator()(const Tensor& x) const { return network(Var(x)).front().value(); }
};

Tensor image() { return random_tensor({2, 3, 9, 7}, 5).to(DType::f32); }

}  // namespace

TEST_CASE("slot: a block sits under its slot and changes what comes out") {
  const Built plain(
      "backbone: {type: resnet, layers: [1, 1], widths: [8, 16], stem: cifar}\nhead: {type: classify, classes: 3}\n");
  const Built built(with_rules("  - {at: 'backbone.layer{1,2}.*.pre_add', type: pixel_attention}\n"));
  CHECK(built.params->find("backbone.layer1.0.pre_add.pixel_attention.conv.weight"));
  CHECK(built.params->find("backbone.layer2.0.pre_add.pixel_attention.conv.weight"));
  CHECK_FALSE(built.params->find("backbone.after_stem.pixel_attention.conv.weight"));
  built.params->load(plain.params->values(), false);
  CHECK(max_difference(built(image()), plain(image())) > 1e-4);
}

TEST_CASE("slot: two blocks run in the order of their rules, also two of one type") {
  const Built built(
      with_rules("  - {at: backbone.after_stem, type: pixel_attention}\n"
                 "  - {at: backbone.after_stem, type: pixel_attention}\n"));
  CHECK(built.params->find("backbone.after_stem.pixel_attention.conv.weight"));
  CHECK(built.params->find("backbone.after_stem.pixel_attention_2.conv.weight"));
  const auto& offers = built.network.slots().offers();
  const auto stem = std::find_if(offers.begin(), offers.end(), [](const auto& o) { return o.path == "backbone.after_stem"; });
  REQUIRE(stem != offers.end());
  CHECK(stem->blocks == std::vector<std::string>{"pixel_attention", "pixel_attention"});
}

TEST_CASE("slot: a block that starts as the identity changes nothing, and its gain learns") {
  const Built plain(
      "backbone: {type: resnet, layers: [1, 1], widths: [8, 16], stem: cifar}\nhead: {type: classify, classes: 3}\n");
  const Built built(
      with_rules("  - {at: 'backbone.**.pre_add', type: pixel_attention, start: identity}\n"
                 "  - {at: 'backbone.layer1.0.conv2', type: a2n_aab, start: identity}\n"));
  built.params->load(plain.params->values(), false);
  CHECK(max_difference(built(image()), plain(image())) == 0);
  const Var loss = sum(built.network(Var(image())).front(), {0, 1}, false);
  loss.backward();
  const Tensor gradient = built.params->find("backbone.layer2.0.pre_add.pixel_attention.start")->value.grad();
  REQUIRE(gradient.defined());
  CHECK(std::abs(gradient.values().at(0)) > 0);
}

TEST_CASE("slot: rules that match nothing, parts that are no blocks, unknown options") {
  const auto build = [](const std::string& rules) { return [=] { Built b(with_rules(rules)); }; };
  CHECK(fails_with(
      build("  - {at: backbone.layer1.0.preadd, type: pixel_attention}\n"),
      "no slot matches 'backbone.layer1.0.preadd'; did you mean 'backbone.layer1.0.pre_add'?; the slots are backbone."));
  CHECK(fails_with(build("  - {at: backbone.after_stem, type: classify}\n"), "'classify' is a head and fits no slot"));
  CHECK(fails_with(build("  - {at: backbone.after_stem, type: pixel_atention}\n"), "did you mean 'pixel_attention'?"));
  CHECK(fails_with(build("  - {at: backbone.after_stem, type: a2n_aab, reductoin: 4}\n"), "did you mean 'reduction'?"));
  CHECK(fails_with(build("  - {at: backbone.after_stem, type: pixel_attention, start: slowly}\n"),
                   "expected fresh or identity, got 'slowly'"));
}

TEST_CASE("slot: tokens pass a class token by") {
  auto params = std::make_shared<ParamStore>(1);
  SlotRule rule{.at = "net.attn", .type = "pixel_attention", .args = {}, .identity = false, .where = "here"};
  auto rules = std::make_shared<SlotRules>(std::vector<SlotRule>{rule});
  const TokenSlot slot(Scope(params, "net", rules), "attn", 4);
  const Tensor tokens = random_tensor({2, 1 + 2 * 3, 4}, 9).to(DType::f32);
  const Tensor out = slot(Var(tokens), 2, 3).value();
  REQUIRE(out.shape() == tokens.shape());
  const auto before = tokens.values(), after = out.values();
  for (std::size_t n = 0; n < 2; ++n)
    for (std::size_t i = 0; i < 28; ++i)
      if (i < 4) CHECK(after[n * 28 + i] == before[n * 28 + i]);
      else CHECK(after[n * 28 + i] != before[n * 28 + i]);
}
