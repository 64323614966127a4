#include "modules/nn/scheduled_sampling.hpp"

#include <algorithm>
#include <cmath>

namespace fovea {

double SamplingSchedule::truth(std::int64_t step) const {
  const auto i = static_cast<double>(step);
  check(step >= 0, "scheduled sampling: expected a step of 0 or more, got ", step);
  switch (kind) {
    case Kind::none: return 1;
    case Kind::linear: return std::clamp(std::max(least, k - slope * i), 0.0, 1.0);
    case Kind::exponential: check(k > 0 && k < 1, "scheduled sampling: expected k in (0, 1), got ", k); return std::pow(k, i);
    case Kind::inverse_sigmoid: check(k >= 1, "scheduled sampling: expected k >= 1, got ", k); return k / (k + std::exp(i / k));
  }
  return 1;
}

SamplingSchedule::Kind sampling_kind(const std::string& name) {
  using Kind = SamplingSchedule::Kind;
  if (name == "none") return Kind::none;
  if (name == "linear") return Kind::linear;
  if (name == "exponential") return Kind::exponential;
  check(name == "inverse_sigmoid", "scheduled sampling: expected none, linear, exponential or inverse_sigmoid, got '", name, "'");
  return Kind::inverse_sigmoid;
}

Tensor scheduled_words(const Tensor& truth_words, const Tensor& predicted, double truth, Random& random) {
  check(truth_words.shape() == predicted.shape() && truth_words.dtype() == DType::s64 && predicted.dtype() == DType::s64,
        "scheduled sampling: expected true and predicted words (s64) of one shape, got ", truth_words.shape(), " and ",
        predicted.shape());
  Tensor out = truth_words.contiguous(Layout::row_major).clone();
  const Tensor own = predicted.contiguous(Layout::row_major);
  for (std::int64_t i = 0; i < out.size(); ++i)
    if (random.uniform() >= truth) out.data<std::int64_t>()[i] = own.data<std::int64_t>()[i];
  return out;
}

}  // namespace fovea
