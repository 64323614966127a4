// Pictures and sentences in one space, for the task that finds the ones by the others. Two forms:
//   global  one vector of length 1 each, compared by their cosine: VSE++, Faghri et al. 2018, arXiv:1707.05612
//   scan    a vector of length 1 for each place and each word, of which one side looks at the other: SCAN, Lee et al. 2018,
//           arXiv:1803.08024
#pragma once

#include "modules/nn/head.hpp"
#include "modules/nn/recurrent.hpp"

namespace fovea {

struct RetrieveOptions {
  bool scan = true;
  bool words_look = true;    // scan: each word looks at the places (t2i), else each place at the words (i2t)
  std::int64_t tokens = 4;   // of the text encoder
  std::int64_t words = 300;  // width of a token's embedding
  std::int64_t width = 256;  // of the common space, D
  std::int64_t layers = 1;   // of the recurrent network
  double dropout = 0;        // on pictures' features and on tokens, in training
};

// Output of scan "regions": N x D x H x W; of global "embedding": N x D.
class RetrieveHead : public Head {
 public:
  const RetrieveOptions& options() const { return o_; }

  // tokens: s64, M x T, padded with 0; lengths: each in 1..T. scan: M x T x D, zeros past a text's end; global: M x D.
  virtual Var texts(const Var& tokens, const Lengths& lengths) const = 0;
  // pictures: the first output; texts: as above. N x M, in f32, the larger the better a text fits a picture.
  virtual Var similarities(const Var& pictures, const Var& texts, const Lengths& lengths) const = 0;
  // scan: how much each word of one text and each place of one picture have to do with each other, the weights of that look:
  // T x H x W. Error for global.
  virtual Var found(const Var& picture, const Var& text) const = 0;

 protected:
  RetrieveHead(const Scope& scope, HeadInfo info, RetrieveOptions o) : Head(scope, std::move(info)), o_(std::move(o)) {}

  RetrieveOptions o_;
};

}  // namespace fovea
