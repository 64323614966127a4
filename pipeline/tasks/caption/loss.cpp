#include "pipeline/tasks/caption/loss.hpp"

#include <algorithm>

#include "modules/nn/losses.hpp"
#include "modules/nn/soft_attention.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/gather.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/softmax.hpp"
#include "modules/ops/unary.hpp"
#include "modules/ops/where.hpp"

namespace fovea {
namespace {

// N: the sum over a sentence's words of log p.
Var log_likelihood(const Var& scores, const Tensor& said) {
  const std::int64_t n = said.dim(0), steps = said.dim(1);
  Tensor counts = Tensor::empty({n, steps}, DType::boolean);
  for (std::int64_t i = 0; i < said.size(); ++i) counts.data<bool>()[i] = said.data<std::int64_t>()[i] != TextDecoderHead::kPad;
  const Var logs = reshape(gather(log_softmax(scores, 2), 2, Var(said.reshape({n, steps, 1}))), {n, steps});
  return sum(where(Var(counts), logs, scale(logs, 0)), {1}, false);
}

// Mean words of a sentence.
double mean_length(const Tensor& said) {
  const auto* w = said.data<std::int64_t>();
  const auto words = std::count_if(w, w + said.size(), [](std::int64_t v) { return v != TextDecoderHead::kPad; });
  return static_cast<double>(words) / static_cast<double>(said.dim(0));
}

// Of places that were drawn. log p is below 0: a baseline of 0 is none yet.
Var drawn_loss(const TextDecoderHead& head, const TextDecoderHead::Written& written, const Tensor& said,
               const Reinforce::Options& options) {
  Reinforce reinforce(options);
  Tensor baseline = head.baseline().value();
  if (baseline.item() != 0) reinforce.set_baseline(baseline.item());
  const Var loss = reinforce.loss(log_likelihood(written.scores, said), written.log_chosen, written.entropy);
  baseline.fill(reinforce.baseline());
  baseline.touch();
  return scale(loss, 1 / mean_length(said));
}

}  // namespace

Sentences sentences_of(const Tensor& tokens, std::int64_t most) {
  check(tokens.rank() == 2 && tokens.dtype() == DType::s64 && tokens.dim(1) >= 2,
        "sentences: expected rows of <start>, words and <end>, s64, got ", name_of(tokens.dtype()), " ", tokens.shape());
  const std::int64_t n = tokens.dim(0), columns = tokens.dim(1), steps = std::min(most, columns - 1);
  Sentences s{Tensor::full({n, steps}, TextDecoderHead::kPad, DType::s64),
              Tensor::full({n, steps}, TextDecoderHead::kPad, DType::s64)};
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t* from = tokens.data<std::int64_t>() + i * columns;
    std::int64_t *heard = s.heard.data<std::int64_t>() + i * steps, *said = s.said.data<std::int64_t>() + i * steps;
    for (std::int64_t t = 0; t < steps && from[t + 1] != TextDecoderHead::kPad; ++t) heard[t] = from[t], said[t] = from[t + 1];
  }
  return s;
}

Var sentence_loss(const TextDecoderHead& head, const Var& places, const Sentences& sentences, const SentenceLossOptions& o) {
  const TextDecoderHead::Written written = head.write(places, sentences.heard);
  const std::int64_t n = sentences.said.dim(0), steps = sentences.said.dim(1);
  Var loss = written.log_chosen.defined()
                 ? drawn_loss(head, written, sentences.said, o.reinforce)
                 : cross_entropy(reshape(written.scores, {n * steps, head.words()}), Var(sentences.said.reshape({n * steps})),
                                 {.label_smoothing = o.label_smoothing, .ignore_index = TextDecoderHead::kPad});
  if (o.stochastic > 0) loss = loss + scale(doubly_stochastic(written.attention), o.stochastic);
  return loss;
}

}  // namespace fovea
