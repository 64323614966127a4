// Models by whatever names them on the command line.
#pragma once

#include <string>

#include "modules/model.hpp"

namespace fovea {

// A recipe's file, freshly initialised, or the model in a .safetensors file or the zoo.
Model any_model(const std::string& name);

}  // namespace fovea
