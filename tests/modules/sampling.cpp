// Networks under dropout: what is dropped, what stays as in use, and that draws can be repeated.
#include "modules/sampling.hpp"

#include <cmath>

#include "modules/core/threads.hpp"
#include "modules/nn/training.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/tensors.hpp"

using namespace fovea;

namespace {

Model region_model(const std::string& head, const std::string& backbone = "") {
  return Model::from_recipe("fovea: 1\nmodel:\n" + backbone + "  head: {type: highlight, classes: [a]" + head +
                            "}\npreprocess: {channels: 1, resize: none, mean: 0, std: 1}\n");
}

const std::string kUnet = "  backbone: {type: unet, widths: [4, 8]}\n";

}  // namespace

TEST_CASE("sampling: the mean of a linear network's samples is what it says without dropout") {
  const double p = 0.4, weight = 1.5, bias = -0.25;
  const Model m = region_model(", dropout: 0.4");
  m.params()->load({{"conv.weight", Tensor::full({1, 1, 1, 1}, weight)}, {"conv.bias", Tensor::full({1}, bias)}});
  const Tensor x = Tensor::full({1, 1, 40, 50}, 1);
  const double said = m.run(x).values().front();
  CHECK(said == Approx(weight + bias));
  constexpr int kSamples = 50;
  Random random(3);
  double sum = 0, squares = 0, count = 0;
  for (int i = 0; i < kSamples; ++i)
    for (const double v : sampled_outputs(m, x, random).at("logits").values()) sum += v, squares += v * v, ++count;
  // A value is 0 or 1 / (1 - p): its variance is p / (1 - p). Five standard errors, of the variance by the fourth moment.
  const double mean = sum / count, variance = squares / count - mean * mean, wanted = weight * weight * p / (1 - p);
  CHECK(std::abs(mean - said) < 5 * std::sqrt(wanted / count));
  const double high = weight / (1 - p) - weight, low = -weight, fourth = (1 - p) * std::pow(high, 4) + p * std::pow(low, 4);
  CHECK(std::abs(variance - wanted) < 5 * std::sqrt((fourth - wanted * wanted) / count));
}

TEST_CASE("sampling: dropout alone is as in training") {
  const Tensor x = test::random_tensor({1, 1, 16, 24}, 5).to(DType::f32);
  const Model plain = region_model("", kUnet), dropping = region_model(", dropout: 0.5, objects: true", kUnet);
  CHECK_FALSE(has_dropout(plain, {1, 1, 64, 64}));
  CHECK(has_dropout(dropping, {1, 1, 64, 64}));
  CHECK(
      has_dropout(region_model("", "  backbone: {type: unet, widths: [4, 8], drop_block: 0.1, drop_size: 3}\n"), {1, 1, 64, 64}));
  for (const char* block : {"pam_cam, dropout: 0.1", "linformer, dropout: 0.1", "multi_head, dropout: 0.1"}) {
    INFO(block);
    const std::string slot = "  attention: [{at: \"backbone.Conv2.after_stage\", type: " + std::string(block) + "}]\n";
    const Model m = region_model("", "  backbone: {type: unet, widths: [8, 8]}\n" + slot);
    CHECK(has_dropout(m, {1, 1, 16, 24}));
    Random draws(1);
    CHECK(sampled_outputs(m, x, draws).at("logits").values() != sampled_outputs(m, x, draws).at("logits").values());
  }
  Random random(1);
  // Norms keep what they learned: a network without dropout says what it says in use, but for a plan's rounding.
  const std::map<std::string, Tensor> before = plain.params()->values();
  CHECK(test::max_difference(sampled_outputs(plain, x, random).at("logits"), plain.run(x)) < 1e-5);
  CHECK(random.state() == Random(1).state());
  for (const auto& [name, value] : plain.params()->values()) CHECK(value.values() == before.at(name).values());
  const NamedTensors one = sampled_outputs(dropping, x, random);
  CHECK(one.size() == 2);
  CHECK(one.at("logits").values() != sampled_outputs(dropping, x, random).at("logits").values());
  CHECK(Dropping::random() == nullptr);
}

TEST_CASE("sampling: the same draws give the same bytes on any number of threads") {
  const Tensor x = test::random_tensor({1, 1, 48, 64}, 5).to(DType::f32);
  const Model m = region_model(", dropout: 0.5", kUnet);
  const auto said = [&](std::uint64_t seed, int width) {
    const ThreadScope scope(width);
    Random random(seed);
    return sampled_outputs(m, x, random).at("logits").values();
  };
  CHECK(said(1, 1) == said(1, 2));
  CHECK(said(1, 1) != said(2, 1));
}
