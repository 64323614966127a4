// `fovea segment`: images in, a label for every pixel out, as masks and overlays.
#pragma once

#include <memory>

#include "pipeline/operation.hpp"

namespace fovea {

std::unique_ptr<Operation> segment_operation();

}  // namespace fovea
