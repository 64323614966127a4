#include "apps/fovea/kept_f32.hpp"

#include <fmt/format.h>

#include <iostream>

namespace fovea {

void print_kept_f32(const std::vector<std::string>& names) {
  if (names.empty()) return;
  constexpr std::size_t kShown = 3;
  const std::vector<std::string> shown(names.begin(),
                                       names.begin() + static_cast<std::ptrdiff_t>(std::min(kShown, names.size())));
  std::cerr << fmt::format("fovea: {} stay{} f32, with values over 65504 that f16 does not hold: {}{}\n", names.size(),
                           names.size() == 1 ? "s" : "", fmt::join(shown, ", "), names.size() > kShown ? ", ..." : "");
}

}  // namespace fovea
