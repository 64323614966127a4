#include "modules/nn/training.hpp"

#include <utility>

namespace fovea {
namespace {
thread_local Training* current = nullptr;
thread_local Random* dropping = nullptr;
}  // namespace

Training::Training(Random& random) : random_(random), previous_(std::exchange(current, this)) {}
Training::~Training() { current = previous_; }
bool Training::active() { return current != nullptr; }
Random& Training::random() {
  check(current != nullptr, "training: random numbers were asked for outside training");
  return current->random_;
}

Dropping::Dropping(Random& random) : previous_(std::exchange(dropping, &random)) {}
Dropping::~Dropping() { dropping = previous_; }
Random* Dropping::random() { return Training::active() ? &Training::random() : dropping; }

NotTraining::NotTraining() : suspended_(std::exchange(current, nullptr)) {}
NotTraining::~NotTraining() { current = suspended_; }

}  // namespace fovea
