// How wrong a decoder is about sentences that people wrote: the mean over words of -log p(word | the words before, the picture).
#pragma once

#include "modules/heads/text_decoder.hpp"
#include "modules/nn/hard_attention.hpp"

namespace fovea {

// Sentences as rows of numbers, s64, N x T: what a decoder hears, <start> first, and what it should say, <end> last; <pad> behind.
struct Sentences {
  Tensor heard, said;
};
// tokens: N x L, each row <start>, words, <end>, then <pad>. Sentences of more than `most` words, the end counted, are cut, and have no end.
Sentences sentences_of(const Tensor& tokens, std::int64_t most);

struct SentenceLossOptions {
  double label_smoothing = 0;
  double stochastic = 0;  // weight of the doubly stochastic term (nn/soft_attention.hpp)
  // Where places are drawn, log p is the reward and the loss that of REINFORCE, for a mean word; its baseline is a buffer of the head.
  Reinforce::Options reinforce = {};
};
// A scalar.
Var sentence_loss(const TextDecoderHead& head, const Var& places, const Sentences& sentences, const SentenceLossOptions& options);

}  // namespace fovea
