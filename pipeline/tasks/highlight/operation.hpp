// `fovea highlight`: scans and pictures in, regions with their sizes out.
#pragma once

#include <memory>

#include "pipeline/operation.hpp"

namespace fovea {

std::unique_ptr<Operation> highlight_operation();

}  // namespace fovea
