// The terms of a model, for people.
#pragma once

#include <string>

#include "modules/license.hpp"

namespace fovea {

// "weights under Apache-2.0, data under unknown terms": one line without control characters, of bounded length.
std::string license_text(const License& license);

// "fovea: cells: weights under ..." on standard error, each line once in a process. Any thread.
void print_license_line(const std::string& model, const License& license);

}  // namespace fovea
