// The head that measures how far features are from those of normal pictures, against plain sums in double.
#include <cmath>
#include <fstream>

#include "modules/autograd/tap.hpp"
#include "modules/heads/highlight.hpp"
#include "modules/io/files.hpp"
#include "modules/model.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/rounding.hpp"
#include "tests/support/small_networks.hpp"
#include "tests/support/tensors.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

constexpr double kUnit = 1.0 / (1 << 24);  // of roundings in f32

Model model_of(const std::string& head, const std::string& features = "[layer1, layer2]") {
  return Model::from_recipe(
      "fovea: 1\nmodel:\n  backbone: {type: resnet18, stem: cifar, layers: [1, 1], widths: [8, 12], features: " + features +
      "}\n  head: {type: patch_memory" + head + "}\npreprocess: {resize: none}\n");
}

// Its memory, mean and whitening are random numbers that f16 holds, and so are all weights.
Model filled(const std::string& head, const std::string& features = "[layer1, layer2]") {
  Model m = model_of(head, features);
  scatter(m, 3);
  std::map<std::string, Tensor> values = m.params()->values();
  for (auto& [name, value] : values) {
    if (name.starts_with("head.")) value = random_tensor(value.shape(), 5).to(DType::f32).contiguous(Layout::row_major);
    if (value.dtype() == DType::f32) value = value.to(DType::f16).to(DType::f32);
  }
  m.params()->load(values);
  return m;
}

Tensor picture(std::int64_t rows = 20, std::int64_t columns = 28) {
  return random_tensor({2, 3, rows, columns}, 7).to(DType::f32).contiguous(Layout::channels_last);
}

Tensor tap_of(const Model::Result& r, const std::string& name) {
  for (const Model::Tap& t : r.taps)
    if (t.name == name) return t.value;
  FAIL("there is no tap " << name);
  return {};
}

// Distance to the nearest of the memory's vectors, in double, and how far rounding in f32 may take |x|^2 - 2 (x.m - |m|^2 / 2) from it.
struct Distance {
  double value, error;
};
Distance naive(const std::vector<double>& x, const std::vector<double>& memory) {
  const std::size_t c = x.size();
  double best = INFINITY, xx = 0, terms = 0;
  for (const double v : x) xx += v * v;
  for (std::size_t m = 0; m < memory.size() / c; ++m) {
    double sum = 0, mm = 0;
    for (std::size_t k = 0; k < c; ++k) sum += std::pow(x[k] - memory[m * c + k], 2), mm += std::pow(memory[m * c + k], 2);
    best = std::min(best, sum);
    terms = std::max(terms, xx + 2 * std::sqrt(xx * mm) + mm);
  }
  // Higham and Mary 2019, as tests/support/rounding.hpp: a sum of c terms is off by at most 6 sqrt(c) u of them; each square of it by its share.
  const double square = (6 * std::sqrt(static_cast<double>(c)) + 8) * kUnit * terms;
  return {std::sqrt(best), std::min(std::sqrt(square), square / std::sqrt(best)) + 2 * kUnit * std::sqrt(best)};
}

}  // namespace

TEST_CASE("patch_memory: the distance is that to the nearest vector") {
  const Model m = filled(", vectors: 600, smooth: 0");  // more than are multiplied at once
  const Model::Result r = m.run(picture(), {.keep = "head.{patches,nearest}"});
  const Tensor patches = tap_of(r, "head.patches"), nearest = tap_of(r, "head.nearest");
  REQUIRE(patches.shape() == Shape{2, 20, 20, 28});
  REQUIRE(nearest.shape() == Shape{2, 1, 20, 28});
  const std::vector<double> x = patches.values(), d = nearest.values(),
                            memory = m.params()->find("head.memory")->value.value().values();
  const std::size_t places = 20 * 28;
  for (std::size_t n = 0; n < 2; ++n)
    for (std::size_t at = 0; at < places; at += 7) {
      std::vector<double> vector;
      for (std::size_t c = 0; c < 20; ++c) vector.push_back(x[(n * 20 + c) * places + at]);
      const Distance want = naive(vector, memory);
      CHECK(std::abs(d[n * places + at] - want.value) <= want.error);
    }
}

TEST_CASE("patch_memory: a vector of the memory is at no distance") {
  const Model m = filled(", vectors: 3, smooth: 0", "layer1");
  const Tensor patches = tap_of(m.run(picture(), {.keep = "head.patches"}), "head.patches");
  Tensor memory = m.params()->find("head.memory")->value.value().clone();
  double squares = 0;
  for (int c = 0; c < 8; ++c) {
    const double v = patches.slice(1, c, c + 1).slice(2, 4, 5).slice(3, 9, 10).slice(0, 1, 2).item();
    memory.slice(0, 1, 2).slice(1, c, c + 1).fill(v);
    squares += v * v;
  }
  m.params()->load({{"head.memory", memory}}, false);
  const double d =
      tap_of(m.run(picture(), {.keep = "head.nearest"}), "head.nearest").slice(0, 1, 2).slice(2, 4, 5).slice(3, 9, 10).item();
  CHECK(d <= std::sqrt((6 * std::sqrt(8.0) + 8) * kUnit * 4 * squares));
}

TEST_CASE("patch_memory: features are means of 3x3 cells, patches are whitened") {
  const Model m = filled(", vectors: 1", "layer1");
  const Model::Result r = m.run(picture(), {.keep = "{head.{features,patches},backbone.layer1}"});
  const auto x = tap_of(r, "backbone.layer1").values(), p = tap_of(r, "head.features").values(),
             y = tap_of(r, "head.patches").values(), mean = m.params()->find("head.mean")->value.value().values(),
             whiten = m.params()->find("head.whiten")->value.value().values();
  const auto at = [](std::size_t c, int row, int column) {
    return (c * 20 + static_cast<std::size_t>(row)) * 28 + static_cast<std::size_t>(column);
  };
  for (int row = 0; row < 20; ++row)
    for (int column = 0; column < 28; ++column) {
      for (std::size_t c = 0; c < 8; ++c) {
        double sum = 0, most = 0;
        int count = 0;
        for (int i = std::max(0, row - 1); i <= std::min(19, row + 1); ++i)
          for (int k = std::max(0, column - 1); k <= std::min(27, column + 1); ++k)
            sum += x[at(c, i, k)], most = std::max(most, std::abs(x[at(c, i, k)])), ++count;
        CHECK(std::abs(p[at(c, row, column)] - sum / count) <= 10 * kUnit * most);  // nine additions, a division
      }
      for (std::size_t c = 0; c < 8; ++c) {
        double sum = 0, terms = 0;
        for (std::size_t k = 0; k < 8; ++k) {
          const double centred = p[at(k, row, column)] - mean[k];
          sum += whiten[c * 8 + k] * centred;
          terms += std::abs(whiten[c * 8 + k]) * (std::abs(p[at(k, row, column)]) + std::abs(mean[k]));
        }
        CHECK(std::abs(y[at(c, row, column)] - sum) <= 10 * kUnit * terms);  // a subtraction, a product, eight additions
      }
    }
}

TEST_CASE("patch_memory: both outputs follow from the smoothed distance") {
  const Model m = filled(", vectors: 5, smooth: 1.5, mean: 1.25, spread: 0.25, limit: 3", "layer2");
  const Model::Result r = m.run(picture(), {});
  REQUIRE(r.outputs.at("logits").shape() == Shape{2, 1, 20, 28});
  const auto logits = r.outputs.at("logits").values(), distance = r.outputs.at("distance").values();
  for (std::size_t i = 0; i < logits.size(); ++i)
    CHECK(logits[i] == Approx(distance[i] - (std::log(3) - 1.25) / 0.25).margin(1e-4));
  // Where the distance is the same everywhere, it stays so up to the edge.
  m.params()->load({{"head.whiten", Tensor::zeros({12, 12, 1, 1})}}, false);
  const double same = tap_of(m.run(picture(), {.keep = "head.nearest"}), "head.nearest").values().front();
  for (const double v : m.run(picture(), {}).outputs.at("distance").values())
    CHECK(v == Approx((std::log(same) - 1.25) / 0.25).epsilon(1e-4));
}

TEST_CASE("patch_memory: a plan gives what the eager forward gives") {
  const Model m = filled(", vectors: 600, mean: 1, spread: 0.5, limit: 3");
  const Tensor x = picture();
  const auto eager = [&] {
    NoGrad no_grad;
    Tensors out;
    for (const auto& [name, v] : m.outputs(Var(x))) out.push_back(v.value());
    return out;
  };
  const std::vector<double> bounds = rounding_bounds(floating_parameters(m), 9 * 12, eager);
  const Tensors want = eager(), got = planned(m.compile(x.shape()), x);
  REQUIRE(got.size() == 2);
  for (std::size_t i = 0; i < got.size(); ++i) CHECK(max_difference(got[i], want[i]) <= bounds[i]);
}

TEST_CASE("patch_memory: stored in f16, and refused where the file is damaged") {
  const Folder folder;
  const Model m = filled(", vectors: 40, smooth: 0");
  m.save(folder / "m32.safetensors");
  m.save(folder / "m16.safetensors", DType::f16);
  CHECK(std::filesystem::file_size(folder / "m16.safetensors") <
        0.6 * static_cast<double>(std::filesystem::file_size(folder / "m32.safetensors")));
  // Its numbers are such that f16 holds them.
  CHECK(max_difference(Model::load((folder / "m16.safetensors").string()).run(picture()), m.run(picture())) == 0);

  auto bytes = read_file(folder / "m32.safetensors");
  const auto refused = [&](std::vector<std::uint8_t> damaged, const std::string& why) {
    write_file_atomically(folder / "bad.safetensors", damaged.data(), damaged.size());
    return fails_with([&] { Model::load((folder / "bad.safetensors").string()); }, why);
  };
  CHECK(refused({bytes.begin(), bytes.end() - 100}, "bad.safetensors"));
  CHECK(refused({bytes.begin(), bytes.begin() + 300}, "bad.safetensors"));
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string text(bytes.begin(), bytes.end());
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
    return std::vector<std::uint8_t>(text.begin(), text.end());
  };
  CHECK(refused(replaced("vectors: 40", "vectors: 41"), "head.memory: expected shape 41x20x1x1, got 40x20x1x1"));
  CHECK(refused(replaced("smooth: 0", "smooth: 9"), "smooth: expected a number from 0 to 8, got 9"));
}

TEST_CASE("patch_memory: what a recipe may say") {
  CHECK(fails_with([] { model_of(", vectors: 0"); }, "vectors"));
  CHECK(fails_with([] { model_of(", spread: 0"); }, "spread"));
  CHECK(fails_with([] { model_of(", classes: [a]"); }, "classes"));
  const Model m = model_of(", threshold: 0.7, least_area: 9");
  const RegionRules& rules = dynamic_cast<const HighlightHead&>(m.head()).rules();
  CHECK(rules.scored);
  CHECK(rules.thresholds == std::vector<double>{0.7});
  CHECK(rules.least_area == std::vector<double>{9});
  CHECK(rules.margin == 32);
}
