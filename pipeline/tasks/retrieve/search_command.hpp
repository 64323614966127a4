// `fovea search`: pictures of a folder for a sentence.
#pragma once

#include "pipeline/task.hpp"

namespace fovea {

std::unique_ptr<TaskCommand> search_command();

}  // namespace fovea
