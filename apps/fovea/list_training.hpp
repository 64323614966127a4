// fovea list training [TASK]: every key of a recipe's `train:` with its default, as the functions that read them say.
#pragma once

#include <string>

namespace fovea {

int list_training(const std::string& task, bool json);  // all tasks where none is named

}  // namespace fovea
