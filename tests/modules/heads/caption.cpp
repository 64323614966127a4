// Decoders of captions: word by word they say what they say of whole sentences, compiled or not; what is behind the end counts nothing; every parameter learns.
#include "modules/heads/text_decoder.hpp"

#include "modules/autograd/apply.hpp"
#include "modules/model.hpp"
#include "modules/nn/losses.hpp"
#include "modules/nn/training.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/reshape.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/tensors.hpp"

using namespace fovea;
using test::fails_with;

namespace {

constexpr std::int64_t kWords = 11;

Model model_of(const std::string& head) {
  return Model::from_recipe("fovea: 1\nmodel:\n  backbone: {type: resnet18, layers: [1, 1], widths: [8, 12]}\n  head: {type: " +
                                head + ", words: 11, width: 16, most: 7}\npreprocess: {size: 32}\n",
                            3);
}
const std::vector<std::string> kHeads{"caption_soft, hidden: 20, attention_width: 9, embedding: 13",
                                      "caption_hard, hidden: 20, attention_width: 9, embedding: 13",
                                      "caption_transformer, layers: 2, heads: 4, hidden: 24",
                                      "caption_transformer, layers: 1, heads: 2, hidden: 24, norm_first: false"};

const TextDecoderHead& head_of(const Model& m) { return dynamic_cast<const TextDecoderHead&>(m.head()); }

// Two pictures, two sentences of each; one ends early.
Tensor sentences() {
  return Tensor::from(std::vector<std::int64_t>{1, 5, 6, 7, 8, 1, 9, 4, 0, 0, 1, 10, 10, 4, 5, 1, 3, 7, 9, 6}, {4, 5});
}

Var places_of(const Model& m) { return m.outputs(Var(test::random_tensor({2, 3, 32, 32}, 4).to(DType::f32))).at("places"); }

Tensor twice(const Tensor& x) {  // each row, one behind the other
  Shape shape = x.shape();
  const std::int64_t n = shape[0], each = x.size() / n;
  shape[0] = 2 * n;
  Tensor out = Tensor::empty(shape);
  const Tensor dense = x.contiguous(Layout::row_major);
  for (std::int64_t i = 0; i < 2 * n; ++i) std::copy_n(dense.data<float>() + i / 2 * each, each, out.data<float>() + i * each);
  return out;
}

}  // namespace

TEST_CASE("captions: word by word, compiled or not, a decoder says what it says of a whole sentence") {
  for (const std::string& kind : kHeads) {
    INFO(kind);
    const Model m = model_of(kind);
    const TextDecoderHead& head = head_of(m);
    const NoGrad no_grad;
    const Var places = places_of(m);
    CHECK(places.shape() == Shape{2, 16, 4, 4});
    const Tensor words = sentences();
    const TextDecoderHead::Written whole = head.write(places, words);
    REQUIRE(whole.scores.shape() == Shape{4, 5, kWords});
    REQUIRE(whole.attention.shape() == Shape{4, 5, 16});
    Vars state = head.begin(places);
    for (Var& v : state) v = Var(twice(v.value()));
    std::optional<plan::Plan> plan;
    for (std::int64_t t = 0; t < 5; ++t) {
      std::vector<std::int64_t> column;
      for (std::int64_t i = 0; i < 4; ++i) column.push_back(words.data<std::int64_t>()[i * 5 + t]);
      Vars in;
      Shapes shapes;
      Tensors values;
      for (const Tensor& v : head.heard(column, t)) in.emplace_back(v);
      in.insert(in.end(), state.begin(), state.end());
      for (const Var& v : in) shapes.push_back(v.shape()), values.push_back(v.value());
      const Vars out = head.step(in);
      REQUIRE(out.size() == 2 + state.size() - head.fixed());
      REQUIRE(out[1].shape() == Shape{4, head.maps(), 16});
      if (!plan) plan = plan::compile([&](const Vars& x) { return head.step(x); }, shapes);
      const Tensors compiled = plan->run(values).outputs;
      // f32 with sums of at most 60 products of values up to 3: below 1e-5; both orders of summation.
      for (std::size_t i = 0; i < out.size(); ++i) CHECK(test::max_difference(compiled[i], out[i].value()) < 2e-5);
      const auto scores = out[0].value().values(), seen = mean(out[1], {1}, false).value().values();
      for (std::size_t i = 0; i < 4; ++i) {
        if (words.data<std::int64_t>()[i * 5 + static_cast<std::size_t>(t)] == TextDecoderHead::kPad) continue;
        const Tensor row =
            whole.scores.value().slice(0, static_cast<std::int64_t>(i), static_cast<std::int64_t>(i) + 1).slice(1, t, t + 1);
        const Tensor looked =
            whole.attention.value().slice(0, static_cast<std::int64_t>(i), static_cast<std::int64_t>(i) + 1).slice(1, t, t + 1);
        for (std::size_t v = 0; v < kWords; ++v) CHECK(scores[i * kWords + v] == Approx(row.values()[v]).margin(2e-5));
        for (std::size_t l = 0; l < 16; ++l) CHECK(seen[i * 16 + l] == Approx(looked.values()[l]).margin(1e-5));
      }
      std::copy(out.begin() + 2, out.end(), state.begin() + static_cast<std::ptrdiff_t>(head.fixed()));
    }
  }
}

TEST_CASE("captions: attention is spread over places while the sentence lasts, and 0 behind its end") {
  for (const std::string& kind : kHeads) {
    INFO(kind);
    const Model m = model_of(kind);
    const NoGrad no_grad;
    const auto sums = sum(head_of(m).write(places_of(m), sentences()).attention, {2}, false).value().values();
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const bool said = sentences().data<std::int64_t>()[i] != TextDecoderHead::kPad;
      CHECK(sums[i] == Approx(said ? 1 : 0).margin(1e-5));
    }
  }
}

TEST_CASE("captions: every parameter of backbone and decoder gets a gradient; places are drawn in training alone") {
  for (const std::string& kind : kHeads) {
    INFO(kind);
    const Model m = model_of(kind);
    Random random(2);
    const Training training(random);
    const TextDecoderHead::Written w = head_of(m).write(places_of(m), sentences());
    const bool hard = kind.find("hard") != std::string::npos;
    CHECK(w.log_chosen.defined() == hard);
    Var loss = mean(w.scores * w.scores, {0, 1, 2}, false) + mean(w.attention * w.attention, {0, 1, 2}, false);
    if (hard) {
      CHECK(w.log_chosen.shape() == Shape{4});
      for (const double v : w.log_chosen.value().values()) CHECK(v < 0);
      for (const double v : w.entropy.value().values()) CHECK(v > 0);
      loss = loss + mean(w.log_chosen, {0}, false);
    }
    loss.backward();
    for (const auto& entry : m.params()->entries()) {
      if (entry.buffer) continue;
      INFO(entry.name);
      REQUIRE(entry.value.grad().defined());
    }
  }
}

TEST_CASE("captions: what does not fit is an error that says so") {
  const Model m = model_of(kHeads[0]);
  const NoGrad no_grad;
  const auto write = [&](const Tensor& words) { return [&m, words] { head_of(m).write(places_of(m), words); }; };
  CHECK(fails_with(write(Tensor::zeros({3, 4}, DType::s64)), "the same count of rows for each of 2 pictures"));
  CHECK(fails_with(write(Tensor::zeros({2, 8}, DType::s64)), "at most 7 columns"));
  CHECK(fails_with(write(Tensor::zeros({2, 4})), "numbers of words"));
  CHECK(fails_with(write(Tensor::full({2, 4}, 11, DType::s64)), "embedding"));
  CHECK(fails_with([] { model_of("caption_transformer, heads: 3"); }, "that 3 heads divide"));
  CHECK(fails_with([&] { head_of(model_of(kHeads[2])).heard({1, 1}, 7); }, "before the 7th"));
}
