// Initial values of parameters, with PyTorch's rules and names.
#pragma once

#include <functional>

#include "modules/core/random.hpp"

namespace fovea {

using Init = std::function<void(Tensor&, Random&)>;

namespace init {

Init constant(double value);
inline Init zeros() { return constant(0); }
inline Init ones() { return constant(1); }
Init uniform(double low, double high);
Init normal(double mean, double stddev);
Init truncated_normal(double stddev);  // cut at two (absolute units 2.0, as timm's trunc_normal_)

// What nn.Conv2d and nn.Linear do: weight and bias uniform in +-1/sqrt(fan_in).
Init fan_in_uniform(std::int64_t fan_in);
enum class Fan : std::uint8_t { in, out };
// Fans are read from the shape: O x I x k x k or O x I. `a` is the slope of the leaky relu that follows; gain sqrt(2 / (1 + a^2)).
Init kaiming_uniform(double a = 0, Fan fan = Fan::in);
Init kaiming_normal(double a = 0, Fan fan = Fan::in);
Init xavier_uniform(double gain = 1);
Init xavier_normal(double gain = 1);

}  // namespace init
}  // namespace fovea
