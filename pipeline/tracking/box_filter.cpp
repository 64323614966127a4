#include "pipeline/tracking/box_filter.hpp"

#include <algorithm>

namespace fovea {
namespace {

enum : std::size_t { kX, kY, kAspect, kHeight };
using Four = std::array<double, 4>;

// Standard deviations in heights of the box, those of the aspect ratio as they are; velocities and growth count a frame of 1/30
// s.
constexpr double kFrames = 30;  // a second
constexpr double kPosition = 1.0 / 20, kVelocity = 1.0 / 160;
constexpr double kAspectDrift = 1e-2, kAspectVelocity = 1e-5, kAspectSeen = 1e-1;
constexpr double kLeastSide = 1e-3;  // pixels

Four measured(const Box& b) {
  const double width = std::max(b.width(), kLeastSide), height = std::max(b.height(), kLeastSide);
  return {(b.x1 + b.x2) / 2, (b.y1 + b.y2) / 2, width / height, height};
}

double square(double v) { return v * v; }

// Of a coordinate: its standard deviation for a box of this height.
double deviation(std::size_t i, double of_height, double of_aspect, double height) {
  return i == kAspect ? of_aspect : of_height * height;
}

}  // namespace

BoxFilter::BoxFilter(const Box& box) {
  const Four z = measured(box);
  for (std::size_t i = 0; i < z.size(); ++i) {
    const double position = deviation(i, 2 * kPosition, kAspectDrift, z[kHeight]);
    const double velocity = kFrames * deviation(i, 10 * kVelocity, kAspectVelocity, z[kHeight]);
    state_[i] = {z[i], 0, square(position), 0, square(velocity)};
  }
}

void BoxFilter::predict(double seconds) {
  const double height = state_[kHeight].value, frames = seconds * kFrames;
  for (std::size_t i = 0; i < state_.size(); ++i) {
    Coordinate& c = state_[i];
    const double before = c.value;
    c.value += c.speed * seconds;
    if (i == kAspect || i == kHeight) c.value = std::max(c.value, before / 2);
    c.variance += 2 * seconds * c.covariance + square(seconds) * c.speed_variance +
                  frames * square(deviation(i, kPosition, kAspectDrift, height));
    c.covariance += seconds * c.speed_variance;
    c.speed_variance += frames * square(kFrames * deviation(i, kVelocity, kAspectVelocity, height));
  }
}

void BoxFilter::update(const Box& box) {
  const Four z = measured(box);
  const double height = state_[kHeight].value;
  for (std::size_t i = 0; i < z.size(); ++i) {
    Coordinate& c = state_[i];
    const double all = c.variance + square(deviation(i, kPosition, kAspectSeen, height));
    const double gain = c.variance / all, speed_gain = c.covariance / all, surprise = z[i] - c.value;
    c.value += gain * surprise;
    c.speed += speed_gain * surprise;
    c.speed_variance -= speed_gain * c.covariance;
    c.covariance *= 1 - gain;
    c.variance *= 1 - gain;
  }
}

void BoxFilter::hold_size() { state_[kAspect].speed = state_[kHeight].speed = 0; }

Box BoxFilter::box() const {
  const double height = state_[kHeight].value, width = std::max(state_[kAspect].value * height, kLeastSide);
  const double x = state_[kX].value, y = state_[kY].value;
  return {x - width / 2, y - height / 2, x + width / 2, y + height / 2};
}

}  // namespace fovea
