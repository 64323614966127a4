// The motion of one box: a Kalman filter of constant velocity over its centre, aspect ratio and height. Wojke et al. 2017
// (DeepSORT), arXiv:1703.07402, as ByteTrack uses it, arXiv:2110.06864; there time counts in frames, here in seconds:
//   x' = x + v t,  P' = F P F^T + Q t,  K = P' H^T / (H P' H^T + R).
// At 30 frames a second the two are the same.
#pragma once

#include <array>

#include "datasets/boxes/box.hpp"

namespace fovea {

class BoxFilter {
 public:
  // One coordinate and its change a second, with their variances and covariance. F, Q, H and R join no coordinate with another
  // one, so that the filter of eight states is exactly four of two.
  struct Coordinate {
    double value = 0, speed = 0;
    double variance = 0, covariance = 0, speed_variance = 0;
  };

  // Requires a valid box. Sides below a thousandth of a pixel count as one.
  explicit BoxFilter(const Box& box);

  // `seconds` >= 0 go by; 0 changes nothing. A size at most halves.
  void predict(double seconds);
  void update(const Box& box);
  // Of what is not seen the size does not go on changing: ByteTrack does so for the height.
  void hold_size();

  Box box() const;
  // Centre x and y, width / height, height; pixels and pixels a second.
  const std::array<Coordinate, 4>& state() const { return state_; }

 private:
  std::array<Coordinate, 4> state_;
};

}  // namespace fovea
