// The thread-local modes behind apply.hpp, shared by the files of this room.
#pragma once

#include "modules/autograd/apply.hpp"

namespace fovea::modes {

struct State {
  bool no_grad = false;
  bool frozen = false;
  DType precision = DType::f32;
  TraceScope* trace = nullptr;
};

State& state();

}  // namespace fovea::modes
