#include "modules/nn/activations.hpp"

#include <algorithm>
#include <cmath>

#include "modules/core/whole.hpp"
#include "modules/nn/args.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {

Pointwise activation(const std::string& name, const std::string& where) {
  static const std::map<std::string, Pointwise> known{
      {"none", [](const Var& x) { return x; }},
      {"relu", [](const Var& x) { return relu(x); }},
      {"relu6", [](const Var& x) { return relu6(x); }},
      {"leaky_relu", [](const Var& x) { return leaky_relu(x); }},
      {"silu", [](const Var& x) { return silu(x); }},
      {"swish", [](const Var& x) { return silu(x); }},
      {"gelu", [](const Var& x) { return gelu(x); }},
      {"sigmoid", [](const Var& x) { return sigmoid(x); }},
      {"tanh", [](const Var& x) { return tanh(x); }},
      {"hard_sigmoid", [](const Var& x) { return hard_sigmoid(x); }},
      {"hard_swish", [](const Var& x) { return hard_swish(x); }},
      {"h_swish", [](const Var& x) { return hard_swish(x); }},
  };
  const auto it = known.find(name);
  if (it != known.end()) return it->second;
  std::string all;
  for (const auto& [k, f] : known) all += (all.empty() ? "" : ", ") + k;
  fail(where, ": no activation is called '", name, "'; there are ", all);
}

std::int64_t make_divisible(double value, std::int64_t divisor, double round_limit) {
  check(divisor > 0, "make_divisible: expected a positive divisor, got ", divisor);
  const double d = static_cast<double>(divisor);
  const auto rounded = std::max(divisor, whole(std::floor((value + d / 2) / d) * d, "make_divisible"));
  return static_cast<double>(rounded) < round_limit * value ? rounded + divisor : rounded;
}

}  // namespace fovea
