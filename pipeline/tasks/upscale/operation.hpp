// `fovea upscale`: images in, larger images of the same kind out.
#pragma once

#include <memory>

#include "pipeline/operation.hpp"

namespace fovea {

std::unique_ptr<Operation> upscale_operation();

}  // namespace fovea
