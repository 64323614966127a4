// Sentences as a model for retrieval reads them.
#pragma once

#include <string>
#include <vector>

#include "datasets/text/encoder.hpp"
#include "modules/heads/retrieve.hpp"
#include "modules/model.hpp"

namespace fovea {

// Tokens of a sentence that are read, beside <start> and <end>; those behind them are not.
inline constexpr std::size_t kMostTextTokens = 100;

// Error that names the model where it is for another task.
const RetrieveHead& retrieve_head(const Model& model);
// Of the model's file. Error where it has none, or one of another size than the network's.
std::unique_ptr<TextEncoder> text_encoder(const Model& model);

// <start>, the tokens, <end>.
std::vector<std::int64_t> tokens_of(const TextEncoder& encoder, const std::string& text);

struct TextBatch {
  Tensor tokens;  // M x T, padded
  Lengths lengths;
};
TextBatch text_batch(const std::vector<std::vector<std::int64_t>>& texts);

// Sentences in the common space, in blocks of similar lengths.
struct EncodedTexts {
  struct Block {
    Tensor values;  // as RetrieveHead::texts gives them
    Lengths lengths;
    std::vector<std::size_t> places;  // of each row among the sentences
  };
  std::vector<Block> blocks;
  std::size_t count = 0;
};
EncodedTexts encode_texts(const Model& model, const TextEncoder& encoder, const std::vector<std::string>& texts);

// How well each of some pictures (the model's first output for them) fits each sentence: pictures x sentences, row by row.
std::vector<float> similarities(const RetrieveHead& head, const Tensor& pictures, const EncodedTexts& texts);

}  // namespace fovea
