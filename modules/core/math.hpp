// Elementary functions that vectorise: branch-free polynomials for float (Cephes' coefficients, errors of a few ulp),
// the standard library for double. Inlined into FOVEA_SIMD loops.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "modules/core/simd.hpp"

namespace fovea::math {

FOVEA_INLINE double exp(double x) { return std::exp(x); }
FOVEA_INLINE double tanh(double x) { return std::tanh(x); }
FOVEA_INLINE double erf(double x) { return std::erf(x); }

// exp(float): x = n ln 2 + r with |r| <= ln 2 / 2; exp(x) = 2^n exp(r). Below -87.3 the result is 0 (it would be denormal). The constants
// are also those of kernels that compute it on vectors.
namespace exp_f32 {
inline constexpr float kLog2e = 1.44269504088896341f;
inline constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23: adding it leaves the rounded integer in the low bits
inline constexpr float kLn2High = 0.693359375f, kLn2Rest = 2.12194440e-4f;  // ln 2 = kLn2High - kLn2Rest
inline constexpr float kPolynomial[] = {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,
                                        4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};
inline constexpr float kLowest = -87.33654f, kHighest = 88.72283f;
inline constexpr std::uint32_t kHalf = 0x3f000000u;  // bits of 2^-1: 2^n as 2^(n-1) * 2 keeps n = 128 representable
}  // namespace exp_f32

FOVEA_INLINE float exp(float x) {
  const float t = x * exp_f32::kLog2e + exp_f32::kMagic;
  const float n = t - exp_f32::kMagic;
  const float r = (x - n * exp_f32::kLn2High) + n * exp_f32::kLn2Rest;
  float p = exp_f32::kPolynomial[0];
  p = p * r + exp_f32::kPolynomial[1];
  p = p * r + exp_f32::kPolynomial[2];
  p = p * r + exp_f32::kPolynomial[3];
  p = p * r + exp_f32::kPolynomial[4];
  p = p * r + exp_f32::kPolynomial[5];
  p = p * r * r + r + 1.0f;
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(t) << 23;
  const float scale = std::bit_cast<float>(bits + exp_f32::kHalf);
  float y = p * scale * 2.0f;
  y = x < exp_f32::kLowest ? 0.0f : y;
  return x > exp_f32::kHighest ? std::numeric_limits<float>::infinity() : y;  // a NaN has come through p
}

FOVEA_INLINE float tanh(float x) {
  const float a = std::fabs(x);
  const float z = x * x;
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const float small = p * z * x + x;
  const float large = 1.0f - 2.0f / (exp(2.0f * a) + 1.0f);
  return a < 0.625f ? small : std::copysign(large, x);
}

// x P(x^2) / Q(x^2), the coefficients of XLA; within 6 units of 2^-24. From 3.92 on it is 1.
FOVEA_INLINE float erf(float x) {
  const float z = x * x;
  float p = -2.72614225801306e-10f;
  p = p * z + 2.77068142495902e-08f;
  p = p * z - 2.10102402082508e-06f;
  p = p * z - 5.69250639462346e-05f;
  p = p * z - 7.34990630326855e-04f;
  p = p * z - 2.95459980854025e-03f;
  p = p * z - 1.60960333262415e-02f;
  float q = -1.45660718464996e-05f;
  q = q * z - 2.13374055278905e-04f;
  q = q * z - 1.68282697438203e-03f;
  q = q * z - 7.37332916720468e-03f;
  q = q * z - 1.42647390514189e-02f;
  const float y = x * p / q;
  return std::fabs(x) > 3.92f ? std::copysign(1.0f, x) : y;
}

// log(1 + x) for x in [0, 1], from log((1 + s) / (1 - s)) = 2 (s + s^3/3 + s^5/5 + ...) with s = x / (2 + x) <= 1/3.
FOVEA_INLINE double log1p_unit(double x) { return std::log1p(x); }
FOVEA_INLINE float log1p_unit(float x) {
  const float s = x / (2.0f + x), z = s * s;
  float p = 1.0f / 15;
  p = p * z + 1.0f / 13;
  p = p * z + 1.0f / 11;
  p = p * z + 1.0f / 9;
  p = p * z + 1.0f / 7;
  p = p * z + 1.0f / 5;
  p = p * z + 1.0f / 3;
  return 2.0f * (s + s * z * p);
}

template <class C>
FOVEA_INLINE C sigmoid(C x) {
  return C(1) / (C(1) + math::exp(-x));
}

}  // namespace fovea::math
