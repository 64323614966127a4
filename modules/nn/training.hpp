// Whether the network is being trained on this thread: batch norm then uses the batch's statistics, and dropout draws.
#pragma once

#include "modules/core/random.hpp"

namespace fovea {

class Training {
 public:
  // `random` feeds dropout; its state belongs into a checkpoint.
  explicit Training(Random& random);
  ~Training();
  Training(const Training&) = delete;
  Training& operator=(const Training&) = delete;

  static bool active();
  static Random& random();  // Error outside training

 private:
  Random& random_;
  Training* previous_;
};

}  // namespace fovea
