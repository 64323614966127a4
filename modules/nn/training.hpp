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

// While alive, dropout draws from `random` though the network is in use: norms keep what they learned. What a trained network says under many draws is a
// sample of what networks like it say: Gal and Ghahramani 2016, arXiv:1506.02142.
class Dropping {
 public:
  explicit Dropping(Random& random);
  ~Dropping();
  Dropping(const Dropping&) = delete;
  Dropping& operator=(const Dropping&) = delete;

  static Random* random();  // what dropout draws from, in training too; null where nothing is dropped

 private:
  Random* previous_;
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
