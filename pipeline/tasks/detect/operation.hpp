// `fovea detect`: pictures in, boxes of objects out.
#pragma once

#include <memory>

#include "pipeline/operation.hpp"

namespace fovea {

std::unique_ptr<Operation> detect_operation();

}  // namespace fovea
