// `fovea classify`: images in, their most probable classes out, as text, JSON, tables and a page of thumbnails.
#pragma once

#include <memory>

#include "pipeline/operation.hpp"

namespace fovea {

std::unique_ptr<Operation> classify_operation();

}  // namespace fovea
