// The one way from a floating number to an integer: towards zero, or an Error. (A cast of what does not fit is undefined behaviour, and
// the numbers of recipes come from strangers.)
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>

#include "modules/core/error.hpp"

namespace fovea {

// `what` opens the message: "vit: mlp_ratio".
template <class To = std::int64_t>
To whole(double value, std::string_view what) {
  static_assert(std::is_integral_v<To>);
  // As doubles the limits of 64 bits round up, to numbers that do not fit: what is exact in both ends earlier.
  constexpr double kExact = 9007199254740992.0;
  constexpr double low = std::max(static_cast<double>(std::numeric_limits<To>::min()), -kExact),
                   high = std::min(static_cast<double>(std::numeric_limits<To>::max()), kExact);
  check(value >= low && value < high + 1, what, ": expected a number from ", low, " to ", high, ", got ", value);
  return static_cast<To>(value);
}

}  // namespace fovea
