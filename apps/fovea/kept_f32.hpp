// What a file in f16 holds in f32 all the same.
#pragma once

#include <string>
#include <vector>

namespace fovea {

// One line on standard error; nothing where there is none.
void print_kept_f32(const std::vector<std::string>& names);

}  // namespace fovea
