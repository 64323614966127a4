// A head with a decoder of text, which writes a sentence about the picture word by word and says for each where it looked.
// Words are numbers of a text encoder; <pad>, <start> and <end> are 0, 1 and 2, as datasets/text/encoder.hpp has them. N pictures, L places, V words.
//
// The network's output "places" (N x E x h x w) is what there is to look at: the deepest feature, projected. Everything behind it is asked of the head:
// while it learns, whole sentences at once (write); in use, one word after another (begin, step), as a function of fixed shapes that plan::compile takes.
#pragma once

#include <optional>

#include "modules/nn/head.hpp"

namespace fovea {

class TextDecoderHead : public Head {
 public:
  static constexpr std::int64_t kPad = 0, kStart = 1, kEnd = 2;

  struct Written {
    Var scores;     // N x T x V: logits of the word behind each of the given ones
    Var attention;  // N x T x L: where it looked for that; 0 behind the sentence's end. Of several heads and layers the mean
    // Of places that were drawn (hard attention, in training): sums over the sentence's words, N each; else undefined.
    Var log_chosen, entropy;
  };
  // words: s64, contiguous, N x T, <start> first, <pad> behind the end. Of several sentences for each picture, those of one stand together.
  Written write(const Var& places, const Tensor& words) const;

  // What a sentence needs while it is written: values with a row for each sentence. The first `fixed()` of them stay as they are.
  Vars begin(const Var& places) const;
  virtual std::size_t fixed() const = 0;
  // What the next step takes beside them. rows: the number of a word for each sentence; at: how many words came before. Shapes do not depend on `at`.
  virtual Tensors heard(const std::vector<std::int64_t>& rows, std::int64_t at) const = 0;
  // in: heard(), then the state. Gives scores N x V; attention N x maps() x L, rows that sum to 1; then the state behind fixed().
  virtual Vars step(const Vars& in) const = 0;

  std::int64_t words() const { return words_; }
  std::int64_t most() const { return most_; }  // longest sentence, <end> counts
  // Where a word looked is maps() maps: one, or one for each layer and head, layer by layer.
  virtual std::int64_t maps() const { return 1; }
  // Of a decoder that draws places: the running mean of its rewards, a buffer of one number; 0 before the first. Else undefined.
  virtual Var baseline() const { return {}; }

  struct Options {
    std::int64_t words = 0, width = 0, most = 0;  // width: 0: places as they are
    double dropout = 0;
  };
  static Options read(Args& args);  // what all decoders have

 protected:
  TextDecoderHead(const Scope& scope, const Feature& in, const Options& options);

  // places N x L x E; likewise.
  virtual Written write_along(const Var& places, const Tensor& words) const = 0;
  virtual Vars begin_at(const Var& places) const = 0;

  // Booleans N x T: true where a step is said, and not behind the end.
  static Tensor said(const Tensor& words);

 private:
  Vars forward(const Vars& features) const override;

  std::int64_t words_, most_;
  std::optional<Conv2d> project_;
};

}  // namespace fovea
