// The head that compares pictures with sentences, against plain sums in double.
#include "modules/heads/retrieve.hpp"

#include <cmath>

#include "modules/autograd/apply.hpp"
#include "modules/model.hpp"
#include "modules/ops/reduce.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/small_networks.hpp"
#include "tests/support/tensors.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

Model model_of(const std::string& head) {
  Model m = Model::from_recipe(
      "fovea: 1\nmodel:\n  backbone: {type: resnet18, stem: cifar, layers: [1, 1], widths: [8, 12]}\n  head: {type: retrieve, "
      "tokens: "
      "9, words: 6, width: 10" +
      head + "}\npreprocess: {size: 16}\n");
  scatter(m, 3);
  return m;
}
const RetrieveHead& head_of(const Model& m) { return dynamic_cast<const RetrieveHead&>(m.head()); }

Tensor picture(std::uint64_t seed) {
  return random_tensor({2, 3, 16, 12}, seed).to(DType::f32).contiguous(Layout::channels_last);
}

// Three sentences, padded to five tokens.
const Lengths kLengths{5, 2, 3};
Var tokens() { return Tensor::from(std::vector<std::int64_t>{1, 4, 5, 6, 2, 1, 2, 0, 0, 0, 1, 8, 2, 0, 0}, {3, 5}); }

using Rows = std::vector<std::vector<double>>;

double product(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// SCAN as its paper has it (section 3.1, equations 1 to 5 and 9): a query sees of the context a mean, weighted by a softmax of
// lambda times their cosines, which are cut at 0 (here leaky, as the authors' code does) and normalised over the queries.
double scan(const Rows& queries, const Rows& context, double lambda) {
  std::vector<std::vector<double>> s(context.size(), std::vector<double>(queries.size()));
  for (std::size_t c = 0; c < context.size(); ++c) {
    double squares = 0;
    for (std::size_t q = 0; q < queries.size(); ++q) {
      const double cosine = product(context[c], queries[q]);
      s[c][q] = cosine > 0 ? cosine : 0.1 * cosine;
      squares += s[c][q] * s[c][q];
    }
    for (double& v : s[c]) v /= std::sqrt(squares) + 1e-8;
  }
  double total = 0;
  for (std::size_t q = 0; q < queries.size(); ++q) {
    std::vector<double> seen(queries[q].size(), 0);
    for (std::size_t c = 0; c < context.size(); ++c)
      for (std::size_t d = 0; d < seen.size(); ++d) seen[d] += std::exp(lambda * s[c][q]) * context[c][d];
    total += product(queries[q], seen) / std::sqrt(product(queries[q], queries[q]) * product(seen, seen));
  }
  return total / static_cast<double>(queries.size());
}

Rows words_of(const Tensor& texts, std::int64_t text) {
  Rows rows;
  for (std::int64_t t = 0; t < kLengths[static_cast<std::size_t>(text)]; ++t)
    rows.push_back(texts.slice(0, text, text + 1).slice(1, t, t + 1).values());
  return rows;
}

Rows places_of(const Tensor& regions, std::int64_t picture) {
  Rows rows;
  for (std::int64_t y = 0; y < regions.dim(2); ++y)
    for (std::int64_t x = 0; x < regions.dim(3); ++x)
      rows.push_back(regions.slice(0, picture, picture + 1).slice(2, y, y + 1).slice(3, x, x + 1).values());
  return rows;
}

}  // namespace

TEST_CASE("retrieve: scan compares words and places as its paper does, either way") {
  for (const bool words_look : {true, false}) {
    const NoGrad no_grad;
    const Model m = model_of(std::string(", gathers: mean, lambda_softmax: 4, direction: ") + (words_look ? "t2i" : "i2t"));
    const RetrieveHead& head = head_of(m);
    CHECK(head.options().words_look == words_look);
    const Tensor regions = m.run(picture(1)), texts = head.texts(tokens(), kLengths).value();
    CHECK(regions.shape() == m.info().outputs[0].shape({2, 3, 16, 12}));
    for (const auto& row : places_of(regions, 1)) CHECK(std::abs(product(row, row) - 1) < 1e-5);
    const Tensor scores = head.similarities(Var(regions), Var(texts), kLengths).value();
    REQUIRE(scores.shape() == Shape{2, 3});
    for (std::int64_t p = 0; p < 2; ++p)
      for (std::int64_t t = 0; t < 3; ++t) {
        const Rows places = places_of(regions, p), words = words_of(texts, t);
        const double expected = words_look ? scan(words, places, 4) : scan(places, words, 4);
        // Sums of at most 48 products of numbers up to 1, and an exponential of 4 of them: well below 200 roundings of f32.
        CHECK(std::abs(scores.values()[static_cast<std::size_t>(p * 3 + t)] - expected) < 200.0 / (1 << 23));
      }
  }
}

TEST_CASE("retrieve: global compares one vector each") {
  const NoGrad no_grad;
  const Model m = model_of(", form: global");
  const Tensor pictures = m.run(picture(1)), texts = head_of(m).texts(tokens(), kLengths).value();
  REQUIRE(pictures.shape() == Shape{2, 10});
  REQUIRE(texts.shape() == Shape{3, 10});
  const Tensor scores = head_of(m).similarities(Var(pictures), Var(texts), kLengths).value();
  for (std::int64_t p = 0; p < 2; ++p)
    for (std::int64_t t = 0; t < 3; ++t)
      CHECK(std::abs(scores.values()[static_cast<std::size_t>(p * 3 + t)] -
                     product(pictures.slice(0, p, p + 1).values(), texts.slice(0, t, t + 1).values())) < 10.0 / (1 << 23));
  CHECK(fails_with([&] { (void)head_of(m).found(Var(pictures), Var(texts)); }, "does not say where"));
}

TEST_CASE("retrieve: a sentence alone is what it is beside longer ones") {
  const NoGrad no_grad;
  for (const char* form : {"scan", "global"}) {
    const Model m = model_of(std::string(", layers: 2, form: ") + form);
    const Var alone = Tensor::from(std::vector<std::int64_t>{1, 8, 2}, {1, 3}), pictures = m.run(picture(1));
    const RetrieveHead& head = head_of(m);
    const Tensor both = head.similarities(pictures, head.texts(tokens(), kLengths), kLengths).value(),
                 one = head.similarities(pictures, head.texts(alone, {3}), {3}).value();
    for (std::size_t p = 0; p < 2; ++p) CHECK(std::abs(both.values()[p * 3 + 2] - one.values()[p]) < 1e-5);
  }
}

TEST_CASE("retrieve: where words are found adds up, and both sides learn") {
  for (const char* direction : {"t2i", "i2t"}) {
    const Model m = model_of(std::string(", direction: ") + direction);
    const RetrieveHead& head = head_of(m);
    const Var regions = m.forward(Var(picture(2).slice(0, 0, 1)));
    const Var text = head.texts(Tensor::from(std::vector<std::int64_t>{1, 4, 7, 2}, {1, 4}), {4});
    const Tensor found = head.found(regions, text).value();
    REQUIRE(found.shape() == Shape{4, regions.dim(2), regions.dim(3)});
    double total = 0;
    for (const double v : found.values()) total += v;
    // Each word shares a whole among the places, or each place among the words.
    const double whole = std::string(direction) == "t2i" ? 4 : static_cast<double>(regions.dim(2) * regions.dim(3));
    CHECK(std::abs(total - whole) < 1e-4);
    sum(head.similarities(regions, text, {4}), {0, 1}, false).backward();
    for (const char* name :
         {"head.image.weight", "head.words.weight", "head.gru.weight_hh_l0_reverse", "backbone.conv1.weight"}) {
      INFO(name);
      REQUIRE(m.params()->find(name) != nullptr);
      CHECK(m.params()->find(name)->value.grad().defined());
    }
  }
}

TEST_CASE("retrieve: wrong options and features are errors that say which") {
  CHECK(fails_with([] { model_of(", form: both"); }, "form: expected scan or global, got 'both'"));
  CHECK(fails_with([] { model_of(", direction: up"); }, "direction"));
  CHECK(fails_with([] { model_of(", form: global, gathers: mean"); }, "gathers"));
  CHECK(fails_with([] { model_of(", layers: 99"); }, "layers"));
}
