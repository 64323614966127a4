// Scheduled sampling, Bengio et al. 2015, arXiv:1506.03099: while a decoder is trained, each word that it goes on from is the
// true one with a probability that falls with the training, else its own.
#pragma once

#include <string>

#include "modules/core/random.hpp"

namespace fovea {

struct SamplingSchedule {
  enum class Kind : std::uint8_t { none, linear, exponential, inverse_sigmoid };
  Kind kind = Kind::none;
  double k = 1;      // linear: at step 0; exponential: below 1; inverse_sigmoid: 1 or more
  double slope = 0;  // linear: what is taken away each step
  double least = 0;  // linear: never below
  // Of the true word at a step of the training, in [0, 1]: none 1; linear max(least, k - slope step); exponential k^step;
  // inverse_sigmoid k / (k + exp(step / k)).
  double truth(std::int64_t step) const;
};

// "none", "linear", "exponential" or "inverse_sigmoid"; Error for others.
SamplingSchedule::Kind sampling_kind(const std::string& name);

// s64 of the shape of both: of each element the true word with probability `truth`, else the predicted one.
Tensor scheduled_words(const Tensor& truth_words, const Tensor& predicted, double truth, Random& random);

}  // namespace fovea
