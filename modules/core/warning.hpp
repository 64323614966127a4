// What people should hear of although work goes on.
#pragma once

#include <functional>
#include <string>

namespace fovea {

// Each text once in a process. Any thread.
void warn(const std::string& text);

// Who hears of it from now on; gives who heard before. At first a line on standard error, "fovea: <text>".
std::function<void(const std::string&)> on_warning(std::function<void(const std::string&)> listener);

}  // namespace fovea
