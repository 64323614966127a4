// The tables of names, with names that nobody would choose: an answer or an Error, in time.
#include <chrono>
#include <cstdlib>

#include "modules/core/random.hpp"
#include "modules/io/name_map.hpp"
#include "modules/model.hpp"
#include "tests/support/catch.hpp"

using namespace fovea;

namespace {

const char* const kPieces[] = {"layer1.",    "layer",   "0.",        "12.",  "conv1.",
                               "bn1.",       "weight",  "bias",      "se.",  "cbam.ChannelGate.mlp.1.",
                               "_orig_mod.", "module.", "model.",    "ema.", "student.",
                               "features.",  "blocks.", "*",         "**",   "{a,b}",
                               "$1",         ".",       "..",        "$",    "bam1.channel_att.gate_c.gate_c_fc_",
                               "x",          "head.",   "backbone.", "\xff", "encoder.layers.encoder_layer_"};

std::string any_name(Random& random) {
  std::string name;
  for (std::int64_t n = random.below(12); n >= 0; --n)
    name += kPieces[random.below(static_cast<std::int64_t>(std::size(kPieces)))];
  return name;
}

}  // namespace

TEST_CASE("names: any name through any table, and any rules of a user's own") {
  const int rounds = std::getenv("FOVEA_FUZZ_ROUNDS") ? std::atoi(std::getenv("FOVEA_FUZZ_ROUNDS")) : 1000;
  Random random(11);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < rounds; ++i) {
    const std::string name = any_name(random);
    for (const NameMap& map : name_maps())
      if (const auto to = renamed(map.rules, name)) CHECK(to->size() <= 2 * name.size() + 200);
    try {
      const auto own = read_name_rules("- {from: '" + any_name(random) + "', to: '" + any_name(random) + "'}", "n.yaml");
      renamed(own, name);
    } catch (const Error& e) { REQUIRE(std::string(e.what()).find("n.yaml") == 0); }
  }
  CHECK(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < 0.02 * rounds + 5);
}

TEST_CASE("names: a file of any names is imported or refused, in time") {
  const std::string recipe =
      "fovea: 1\nmodel: {backbone: {type: resnet18, layers: [1], widths: [4]}, head: {type: classify, classes: 2}}\n";
  const Model model = Model::from_recipe(recipe);
  Random random(12);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 30; ++i) {
    std::map<std::string, Tensor> tensors;
    for (std::int64_t n = random.below(200); n > 0; --n) tensors[any_name(random)] = Tensor::zeros({random.below(5), 3});
    for (const auto& [name, value] : model.params()->values())  // among those that fit
      if (random.below(3) > 0) tensors["ema.module." + name.substr(name.find('.') + 1)] = value;
    for (const bool partial : {false, true}) {
      ImportOptions options;
      options.partial = partial;
      try {
        import_weights(*model.params(), model.slots(), "resnet18", tensors, options);
      } catch (const Error&) {}
    }
  }
  CHECK(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < 60);
}
