// `fovea fit-normal FOLDER... -o MODEL`: a model of what is normal.
#pragma once

#include "pipeline/task.hpp"

namespace fovea {

std::unique_ptr<TaskCommand> fit_command();

}  // namespace fovea
