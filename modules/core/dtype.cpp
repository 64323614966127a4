#include "modules/core/dtype.hpp"

#include <array>

namespace fovea {
namespace {
struct Facts {
  std::string_view name;
  std::size_t size;
  bool floating;
};
constexpr std::array<Facts, 9> kFacts{{{"f32", 4, true},
                                       {"bf16", 2, true},
                                       {"f64", 8, true},
                                       {"f16", 2, true},
                                       {"u8", 1, false},
                                       {"s8", 1, false},
                                       {"s32", 4, false},
                                       {"s64", 8, false},
                                       {"bool", 1, false}}};
const Facts& facts(DType type) { return kFacts[static_cast<std::size_t>(type)]; }
}  // namespace

std::size_t size_of(DType type) { return facts(type).size; }
std::string_view name_of(DType type) { return facts(type).name; }
bool is_floating(DType type) { return facts(type).floating; }

std::uint16_t f16::from_float(float v) {
  const auto u = std::bit_cast<std::uint32_t>(v);
  const auto sign = static_cast<std::uint16_t>((u >> 16) & 0x8000u);
  const std::uint32_t magnitude = u & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return sign | 0x7e00u;   // NaN
  if (magnitude >= 0x477ff000u) return sign | 0x7c00u;  // rounds past 65504: infinity
  if (magnitude < 0x38800000u) {                        // below 2^-14: subnormal, in steps of 2^-24
    const float scaled = std::bit_cast<float>(magnitude) * 16777216.0f;
    auto steps = static_cast<std::uint32_t>(scaled);
    const float rest = scaled - static_cast<float>(steps);
    if (rest > 0.5f || (rest == 0.5f && (steps & 1u))) ++steps;
    return static_cast<std::uint16_t>(sign | steps);
  }
  const std::uint32_t rebased = magnitude - 0x38000000u;
  return static_cast<std::uint16_t>(sign | ((rebased + 0xfffu + ((rebased >> 13) & 1u)) >> 13));
}

float f16::to_float(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1fu;
  const std::uint32_t mantissa = bits & 0x3ffu;
  if (exponent == 0) {
    const float value = static_cast<float>(mantissa) * 5.9604644775390625e-8f;  // 2^-24
    return sign ? -value : value;
  }
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  return std::bit_cast<float>(sign | ((exponent + 112u) << 23) | (mantissa << 13));
}

}  // namespace fovea
