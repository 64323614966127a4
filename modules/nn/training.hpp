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
  friend class NotTraining;
  Random& random_;
  Training* previous_;
};

// While alive the network behaves as in use, though a training is under way: how a teacher looks at the student's batch.
class NotTraining {
 public:
  NotTraining();
  ~NotTraining();
  NotTraining(const NotTraining&) = delete;
  NotTraining& operator=(const NotTraining&) = delete;

 private:
  Training* suspended_;
};

}  // namespace fovea
