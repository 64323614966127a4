// What decoders learn from, against sums in double.
#include "pipeline/tasks/caption/loss.hpp"

#include <cmath>

#include "modules/model.hpp"
#include "modules/nn/training.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/small_networks.hpp"
#include "tests/support/tensors.hpp"

using namespace fovea;

namespace {

using Numbers = std::vector<std::int64_t>;
constexpr std::int64_t kWords = 9;

Model model_of(const std::string& head) {
  Model m =
      Model::from_recipe("fovea: 1\nmodel:\n  backbone: {type: resnet18, layers: [1], widths: [8]}\n  head: {type: " + head +
                             ", width: 8, words: 9, most: 5, dropout: 0}\npreprocess: {size: 16}\n",
                         3);
  test::scatter(m, 4);
  return m;
}

const Tensor kTokens = Tensor::from(Numbers{1, 5, 6, 2, 0, 1, 7, 8, 4, 2, 1, 2, 0, 0, 0}, {3, 5});

Var places_of(const Model& m) { return m.outputs(Var(test::random_tensor({3, 3, 16, 16}, 5).to(DType::f32))).at("places"); }

Numbers numbers(const Tensor& t) { return Numbers(t.data<std::int64_t>(), t.data<std::int64_t>() + t.size()); }

// -log p of each word that is said, in the order of the rows.
std::vector<double> costs(const TextDecoderHead& head, const Var& places, const Sentences& s) {
  const auto scores = head.write(places, s.heard).scores.value().values();
  std::vector<double> all;
  for (std::int64_t i = 0; i < s.said.size(); ++i) {
    const std::int64_t word = s.said.data<std::int64_t>()[i];
    if (word == TextDecoderHead::kPad) continue;
    double sum = 0;
    for (std::int64_t w = 0; w < kWords; ++w) sum += std::exp(scores[static_cast<std::size_t>(i * kWords + w)]);
    all.push_back(std::log(sum) - scores[static_cast<std::size_t>(i * kWords + word)]);
  }
  return all;
}

}  // namespace

TEST_CASE("sentence loss: a decoder hears what came before the word that it should say") {
  const Sentences s = sentences_of(kTokens, 10);
  CHECK(numbers(s.heard) == Numbers{1, 5, 6, 0, 1, 7, 8, 4, 1, 0, 0, 0});
  CHECK(numbers(s.said) == Numbers{5, 6, 2, 0, 7, 8, 4, 2, 2, 0, 0, 0});
  const Sentences cut = sentences_of(kTokens, 2);
  CHECK(numbers(cut.heard) == Numbers{1, 5, 1, 7, 1, 0});
  CHECK(numbers(cut.said) == Numbers{5, 6, 7, 8, 2, 0});
  CHECK(test::fails_with([] { sentences_of(Tensor::zeros({2, 3}), 4); }, "expected rows of <start>"));
}

TEST_CASE("sentence loss: the mean over words, and how far all looks together are from even") {
  for (const char* kind :
       {"caption_soft, hidden: 12, attention_width: 6, embedding: 5", "caption_transformer, layers: 1, heads: 2, hidden: 12"}) {
    INFO(kind);
    const Model m = model_of(kind);
    const auto& head = dynamic_cast<const TextDecoderHead&>(m.head());
    const Var places = places_of(m);
    const Sentences s = sentences_of(kTokens, 5);
    const auto each = costs(head, places, s);
    REQUIRE(each.size() == 8);
    double wanted = 0;
    for (const double c : each) wanted += c / 8;
    CHECK(sentence_loss(head, places, s, {}).value().item() == Approx(wanted).epsilon(1e-5));
    const Tensor seen = head.write(places, s.heard).attention.value();
    const auto values = seen.values();
    const std::int64_t steps = seen.dim(1), cells = seen.dim(2);
    double uneven = 0;
    for (std::int64_t i = 0; i < 3; ++i)
      for (std::int64_t l = 0; l < cells; ++l) {
        double sum = 0;
        for (std::int64_t t = 0; t < steps; ++t) sum += values[static_cast<std::size_t>((i * steps + t) * cells + l)];
        uneven += (1 - sum) * (1 - sum) / static_cast<double>(3 * cells);
      }
    CHECK(sentence_loss(head, places, s, {.stochastic = 0.5}).value().item() == Approx(wanted + 0.5 * uneven).epsilon(1e-5));
  }
}

TEST_CASE("sentence loss: drawn places are taught by REINFORCE, whose baseline is the head's and follows the rewards") {
  const Model m = model_of("caption_hard, hidden: 12, attention_width: 6, embedding: 5");
  const auto& head = dynamic_cast<const TextDecoderHead&>(m.head());
  const Sentences s = sentences_of(kTokens, 5);
  CHECK(head.baseline().value().item() == 0);
  double first = 0;
  {
    Random random(3);
    const Training training(random);
    const Var places = places_of(m);
    Random again(random);
    const auto written = [&] {
      const Training same(again);
      return head.write(places, s.heard);
    }();
    const Var loss = sentence_loss(head, places, s, {.reinforce = {.rate = 1, .entropy = 0.1, .decay = 0.5}});
    // The first mean reward is the baseline: rewards r_i, and advantages r_i - mean r.
    const auto scores = written.scores.value().values(), chosen = written.log_chosen.value().values(),
               entropy = written.entropy.value().values();
    std::vector<double> reward(3, 0);
    for (std::int64_t i = 0; i < s.said.size(); ++i) {
      const std::int64_t word = s.said.data<std::int64_t>()[i];
      if (word == TextDecoderHead::kPad) continue;
      double sum = 0;
      for (std::int64_t w = 0; w < kWords; ++w) sum += std::exp(scores[static_cast<std::size_t>(i * kWords + w)]);
      reward[static_cast<std::size_t>(i / s.said.dim(1))] += scores[static_cast<std::size_t>(i * kWords + word)] - std::log(sum);
    }
    const double mean = (reward[0] + reward[1] + reward[2]) / 3;
    double gain = 0;
    for (std::size_t i = 0; i < 3; ++i) gain += (reward[i] + (reward[i] - mean) * chosen[i] + 0.1 * entropy[i]) / 3;
    CHECK(loss.value().item() == Approx(-gain / (8.0 / 3)).epsilon(1e-5));
    first = head.baseline().value().item();
    CHECK(first == Approx(mean).epsilon(1e-5));
    loss.backward();
    CHECK(m.params()->find("head.attention.full_att.weight")->value.grad().defined());
  }
  // In use the likeliest place is seen: nothing is drawn, and the loss is cross-entropy.
  const Var places = places_of(m);
  const auto each = costs(head, places, s);
  double wanted = 0;
  for (const double c : each) wanted += c / 8;
  CHECK(sentence_loss(head, places, s, {}).value().item() == Approx(wanted).epsilon(1e-5));
  CHECK(head.baseline().value().item() == first);
}
