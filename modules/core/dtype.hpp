// Element types. f32 and bf16 compute, f64 runs the reference kernels, the rest store.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "modules/core/error.hpp"

namespace fovea {

enum class DType : std::uint8_t { f32, bf16, f64, f16, u8, s8, s32, s64, boolean };

// Brain floating point: the upper half of an f32, rounded to nearest even.
struct bf16 {
  std::uint16_t bits = 0;
  bf16() = default;
  bf16(float v) : bits(round(v)) {}
  operator float() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

 private:
  static std::uint16_t round(float v) {
    const auto u = std::bit_cast<std::uint32_t>(v);
    const std::uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    const std::uint32_t quiet = (u >> 16) | 0x40u;  // rounding could turn a NaN into an infinity
    return static_cast<std::uint16_t>((u & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
  }
};

// IEEE half precision, for storage only.
struct f16 {
  std::uint16_t bits = 0;
  f16() = default;
  f16(float v) : bits(from_float(v)) {}
  operator float() const { return to_float(bits); }

 private:
  static std::uint16_t from_float(float v);
  static float to_float(std::uint16_t bits);
};

std::size_t size_of(DType type);
std::string_view name_of(DType type);
bool is_floating(DType type);

template <class T>
struct dtype_of;
template <>
struct dtype_of<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct dtype_of<bf16> {
  static constexpr DType value = DType::bf16;
};
template <>
struct dtype_of<double> {
  static constexpr DType value = DType::f64;
};
template <>
struct dtype_of<f16> {
  static constexpr DType value = DType::f16;
};
template <>
struct dtype_of<std::uint8_t> {
  static constexpr DType value = DType::u8;
};
template <>
struct dtype_of<std::int8_t> {
  static constexpr DType value = DType::s8;
};
template <>
struct dtype_of<std::int32_t> {
  static constexpr DType value = DType::s32;
};
template <>
struct dtype_of<std::int64_t> {
  static constexpr DType value = DType::s64;
};
template <>
struct dtype_of<bool> {
  static constexpr DType value = DType::boolean;
};

// The type that a kernel computes in: float for everything up to f32, double for the reference.
template <class T>
struct compute_type {
  using type = float;
};
template <>
struct compute_type<double> {
  using type = double;
};
template <class T>
using compute_t = typename compute_type<T>::type;

// Calls f(T{}) with the C++ type of a computing dtype (f32, bf16, f64).
template <class F>
decltype(auto) dispatch_compute(DType type, std::string_view what, F&& f) {
  switch (type) {
    case DType::f32: return f(float{});
    case DType::bf16: return f(bf16{});
    case DType::f64: return f(double{});
    default: fail(what, ": expected f32, bf16 or f64, got ", name_of(type));
  }
}

// Calls f(T{}) with the C++ type of any dtype.
template <class F>
decltype(auto) dispatch_any(DType type, F&& f) {
  switch (type) {
    case DType::f32: return f(float{});
    case DType::bf16: return f(bf16{});
    case DType::f64: return f(double{});
    case DType::f16: return f(f16{});
    case DType::u8: return f(std::uint8_t{});
    case DType::s8: return f(std::int8_t{});
    case DType::s32: return f(std::int32_t{});
    case DType::s64: return f(std::int64_t{});
    case DType::boolean: return f(bool{});
  }
  fail("unknown dtype");
}

}  // namespace fovea
