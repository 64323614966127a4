// `fovea explain`: images in, maps of what a network looked at out. For a network of any task.
#pragma once

#include <memory>

#include "pipeline/operation.hpp"

namespace fovea {

std::unique_ptr<Operation> explain_operation();

}  // namespace fovea
