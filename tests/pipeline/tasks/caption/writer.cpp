// Sentences that are searched for, against all sentences that there are.
#include "pipeline/tasks/caption/writer.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "datasets/text/recipe.hpp"
#include "datasets/text/vocabulary.hpp"
#include "modules/autograd/apply.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/small_networks.hpp"
#include "tests/support/tensors.hpp"

using namespace fovea;
using test::fails_with;

namespace {

using Words = std::vector<std::int64_t>;
constexpr std::int64_t kFirst = TextEncoder::kSpecial;

Model model_of(const std::string& head, const std::vector<std::string>& words, int most) {
  Yaml recipe =
      Yaml::parse("fovea: 1\nmodel:\n  backbone: {type: resnet18, layers: [1, 1], widths: [8, 12]}\n  head: {type: " + head +
                      ", width: 8, words: " + std::to_string(words.size() + 4) + ", most: " + std::to_string(most) +
                      "}\npreprocess: {size: 32}\n",
                  "recipe");
  set_text_encoder(recipe, Vocabulary(words));
  Model m = Model::from_recipe(recipe, 5);
  test::scatter(m, 9);  // weights that say something
  return m;
}
const std::vector<std::string> kHeads{"caption_soft, hidden: 12, attention_width: 9, embedding: 7",
                                      "caption_hard, hidden: 12, attention_width: 9, embedding: 7",
                                      "caption_transformer, layers: 1, heads: 2, hidden: 16"};

Tensor places_of(const Model& m, std::uint64_t seed, std::int64_t pictures = 2) {
  return m.run(test::random_tensor({pictures, 3, 32, 32}, seed).to(DType::f32));
}

// Log-probabilities of the words behind each of a sentence's, where <pad>, <start> and <unk> are never said.
std::vector<std::vector<double>> logs_along(const Model& m, const Tensor& places, std::int64_t picture, const Words& words) {
  const NoGrad no_grad;
  Words given{TextEncoder::kStart};
  given.insert(given.end(), words.begin(), words.end());
  const auto& head = dynamic_cast<const TextDecoderHead&>(m.head());
  const Var scores = head.write(Var(places.slice(0, picture, picture + 1).clone()),
                                Tensor::from(given, {1, static_cast<std::int64_t>(given.size())}))
                         .scores;
  const auto values = scores.value().values();
  const auto count = static_cast<std::size_t>(head.words());
  std::vector<std::vector<double>> out;
  for (std::size_t t = 0; t < given.size(); ++t) {
    std::vector<double> row(values.begin() + static_cast<std::ptrdiff_t>(t * count),
                            values.begin() + static_cast<std::ptrdiff_t>((t + 1) * count));
    row[0] = row[1] = row[3] = -INFINITY;
    double sum = 0;
    for (const double v : row) sum += std::exp(v);
    for (double& v : row) v -= std::log(sum);
    out.push_back(row);
  }
  return out;
}

double log_of(const Model& m, const Tensor& places, std::int64_t picture, const Words& words) {
  const auto logs = logs_along(m, places, picture, words);
  double sum = logs.back()[TextEncoder::kEnd];
  for (std::size_t i = 0; i < words.size(); ++i) sum += logs[i][static_cast<std::size_t>(words[i])];
  return sum;
}

// All sentences of two words, up to three long.
std::vector<Words> all_sentences() {
  std::vector<Words> all{{}};
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::int64_t w = kFirst; w < kFirst + 2 && all[i].size() < 3; ++w) {
      Words longer = all[i];
      longer.push_back(w);
      all.push_back(longer);
    }
  return all;
}

}  // namespace

TEST_CASE("caption writer: a beam that is wide enough finds the best of all sentences") {
  for (const std::string& head : kHeads)
    for (const double power : {0.0, 0.7, 1.0}) {
      INFO(head << ", " << power);
      const Model m = model_of(head, {"a", "b"}, 4);
      const Tensor places = places_of(m, 3);
      const auto found = CaptionWriter(m, {.beam = 24, .length_power = power, .repeat = 0})(places);
      REQUIRE(found.size() == 2);
      for (std::int64_t picture = 0; picture < 2; ++picture) {
        double best = -INFINITY;
        for (const Words& words : all_sentences())
          best = std::max(best, log_of(m, places, picture, words) / std::pow(static_cast<double>(words.size() + 1), power));
        const auto& mine = found[static_cast<std::size_t>(picture)];
        CHECK(mine.size() == all_sentences().size());
        CHECK(mine.front().score ==
              Approx(best).margin(1e-4));  // f32: sums of at most 40 products, a few units large, four times
        for (const Caption& c : mine) {
          const double log = log_of(m, places, picture, c.words);
          CHECK(c.score == Approx(log / std::pow(static_cast<double>(c.words.size() + 1), power)).margin(1e-4));
          CHECK(c.log_probabilities.size() == c.words.size() + 1);
          CHECK(c.attention.dim(0) == static_cast<std::int64_t>(c.words.size()));
        }
        CHECK(std::is_sorted(mine.begin(), mine.end(), [](const Caption& a, const Caption& b) { return a.score > b.score; }));
      }
    }
}

TEST_CASE("caption writer: a beam of one says the likeliest word each time; words that were seen lie where the decoder looked") {
  for (const std::string& head : kHeads) {
    INFO(head);
    const Model m = model_of(head, {"a", "b", "c", "d", "e"}, 6);
    const Tensor places = places_of(m, 4);
    const auto found = CaptionWriter(m, {.beam = 1, .length_power = 0, .repeat = 0})(places);
    for (std::int64_t picture = 0; picture < 2; ++picture) {
      Words words;
      while (words.size() < 6) {
        const auto row = logs_along(m, places, picture, words).back();
        const std::int64_t next = std::max_element(row.begin(), row.end()) - row.begin();
        if (next == TextEncoder::kEnd) break;
        words.push_back(next);
        if (words.size() == 6) break;
      }
      const Caption& c = found[static_cast<std::size_t>(picture)].front();
      CHECK(c.words == words);
      const std::int64_t cells = c.attention.dim(2);
      for (std::int64_t i = 0; i < c.attention.size() / cells; ++i) {
        double sum = 0;
        for (std::int64_t l = 0; l < cells; ++l) sum += static_cast<double>(c.attention.data<float>()[i * cells + l]);
        CHECK(sum == Approx(1).margin(1e-5));
      }
    }
  }
}

TEST_CASE("caption writer: what is written of a picture does not depend on its neighbours, and is the same again") {
  const Model m = model_of(kHeads[0], {"a", "b", "c", "d", "e"}, 8);
  const Tensor places = places_of(m, 6, 3);
  for (const WriterOptions& o : {WriterOptions{}, WriterOptions{.nucleus = 0.9, .samples = 4, .seed = 7}}) {
    const CaptionWriter writer(m, o);
    const auto together = writer(places);
    for (std::int64_t i = 0; i < 3; ++i) {
      const auto alone = writer(places.slice(0, i, i + 1).clone()).front();
      const auto& beside = together[static_cast<std::size_t>(i)];
      REQUIRE(alone.size() == beside.size());
      for (std::size_t k = 0; k < alone.size(); ++k) CHECK(alone[k].text == beside[k].text);
    }
  }
}

TEST_CASE("caption writer: drawn words are the likeliest ones where little probability is allowed, and differ by seed") {
  const Model m = model_of(kHeads[0], {"a", "b", "c", "d", "e"}, 8);
  const Tensor places = places_of(m, 6, 1);
  const auto said = [&](const WriterOptions& o) {
    std::vector<std::string> texts;
    const auto all = CaptionWriter(m, o)(places);
    for (const Caption& c : all.front()) texts.push_back(c.text);
    return texts;
  };
  CHECK(said({.repeat = 0, .nucleus = 1e-9}) == said({.beam = 1, .repeat = 0}));
  std::set<std::vector<std::string>> different;
  for (std::uint64_t seed = 0; seed < 8; ++seed)
    different.insert(said({.repeat = 0, .nucleus = 1, .temperature = 3, .samples = 3, .seed = seed}));
  CHECK(different.size() > 1);
}

TEST_CASE("caption writer: no run of words comes twice") {
  const Model m = model_of(kHeads[0], {"a", "b"}, 12);
  const Tensor places = places_of(m, 8);
  for (const WriterOptions& o :
       {WriterOptions{.beam = 4, .repeat = 2}, WriterOptions{.repeat = 2, .nucleus = 1, .temperature = 4, .samples = 6}})
    for (const auto& captions : CaptionWriter(m, o)(places))
      for (const Caption& c : captions) {
        std::set<std::pair<std::int64_t, std::int64_t>> pairs;
        for (std::size_t i = 0; i + 1 < c.words.size(); ++i) CHECK(pairs.insert({c.words[i], c.words[i + 1]}).second);
      }
}

TEST_CASE("caption writer: models and options that do not fit are errors") {
  const auto refused = [](const Model& m, const WriterOptions& o, const std::string& text) {
    return fails_with([&] { CaptionWriter(m, o); }, text);
  };
  const Model m = model_of(kHeads[0], {"a", "b"}, 4);
  CHECK(refused(m, {.beam = 0}, "beam"));
  CHECK(refused(m, {.temperature = 0}, "temperature"));
  CHECK(refused(m, {.nucleus = 1.5}, "nucleus"));
  CHECK(refused(Model::from_recipe(test::recipe(test::kSmall.front(), "")), {}, "writes no text"));
  const std::string head =
      "fovea: 1\nmodel:\n  backbone: {type: resnet18, layers: [1], widths: [8]}\n  head: {type: caption_soft, width: 8, words: "
      "9}\n";
  CHECK(refused(Model::from_recipe(head), {}, "no text encoder"));
  Yaml other = Yaml::parse(head, "recipe");
  set_text_encoder(other, Vocabulary({"a"}));
  CHECK(refused(Model::from_recipe(other), {}, "knows 9 words, its text encoder 5"));
}
