#include "pipeline/tasks/highlight/patch_sample.hpp"

#include <algorithm>
#include <cmath>

namespace fovea {
namespace {

constexpr std::uint64_t kStream = 3;
constexpr double kLeast = 1e-6;  // deviation of a channel that says something, of its mean

}  // namespace

PatchSample::PatchSample(std::int64_t channels, std::int64_t most, std::uint64_t seed)
    : channels_(channels), most_(most), random_(seed, kStream) {
  check(channels > 0 && most > 0, "patches: expected some channels and vectors, got ", channels, " and ", most);
}

void PatchSample::add(const float* vector, int picture) {
  ++seen_;
  if (size() < most_) {
    values_.insert(values_.end(), vector, vector + channels_);
    pictures_.push_back(picture);
    return;
  }
  const std::int64_t at = random_.below(seen_);
  if (at >= most_) return;
  std::copy_n(vector, channels_, values_.begin() + at * channels_);
  pictures_[static_cast<std::size_t>(at)] = picture;
}

PatchSample::Spread PatchSample::spread() const {
  const auto channels = static_cast<std::size_t>(channels_);
  std::vector<double> sum(channels), squares(channels);
  const auto each = [&](const auto& f) {
    for (std::size_t i = 0; i < values_.size(); ++i) f(i % channels, static_cast<double>(values_[i]));
  };
  each([&](std::size_t c, double v) { sum[c] += v; });
  const auto count = static_cast<double>(size());
  for (double& s : sum) s /= count;
  each([&](std::size_t c, double v) { squares[c] += (v - sum[c]) * (v - sum[c]); });
  Spread out;
  for (std::size_t c = 0; c < channels; ++c) {
    const double deviation = std::sqrt(squares[c] / count);
    out.mean.push_back(static_cast<float>(sum[c]));
    out.deviation.push_back(deviation > kLeast * std::abs(sum[c]) ? static_cast<float>(deviation) : 1);
  }
  return out;
}

Tensor PatchSample::standardised(const Spread& s) const {
  Tensor out = Tensor::empty({size(), channels_});
  const auto channels = static_cast<std::size_t>(channels_);
  for (std::size_t i = 0; i < values_.size(); ++i)
    out.data<float>()[i] = (values_[i] - s.mean[i % channels]) / s.deviation[i % channels];
  return out;
}

}  // namespace fovea
