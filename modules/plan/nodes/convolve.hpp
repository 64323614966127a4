// Convolutions and fully connected layers. Inputs: x, weight, bias or -1, residual or -1. y = after(conv(x) + bias + residual). Weight and
// bias are constants; the bias may be f64.
#pragma once

#include "modules/plan/work.hpp"

namespace fovea::plan {

enum class Algorithm : std::uint8_t {
  direct,         // oneDNN
  single_output,  // kernels/single_output_conv.hpp
  gemv,           // kernels/gemv.hpp
  winograd2x2,    // kernels/winograd.hpp with output tiles of this size
  winograd2x4,
  winograd4x4,
};

struct Convolve : Work {
  dnn::Conv options;
  bool linear = false;                   // a fully connected layer over the last axis of x, weight (O, I)
  std::optional<role::Pointwise> after;  // activation
  // Set for kernels/single_output_conv.hpp, which reads x as a strided view of the node's input 0: shape, strides and first element.
  struct SingleOutput {
    Shape x, strides;
    std::int64_t offset;
    bool transposed = false;  // y is written column by column
  };
  std::optional<SingleOutput> single_output;
  bool f32_only = false;                    // oneDNN has no fast kernel for it in bf16
  Algorithm algorithm = Algorithm::direct;  // set by the last pass

  explicit Convolve(const dnn::Conv& o, std::optional<role::Pointwise> a = {}) : options(o), after(a) {}
  static bool lower(Lowerer& l, Node& n, const role::Convolution& r);
  static bool lower(Lowerer& l, Node& n, const role::Linear& r);
  // Whether it multiplies in bf16: a convolution of or to a large map is f32 only where it must be.
  bool computes_bf16(const Graph& g, const Node& n) const;
  bool reads_bf16(const Graph& g, const Node& n, std::size_t input) const;
  bool needs_bf16(const Graph& g, const Node& n, std::size_t input) const { return reads_bf16(g, n, input); }
  bool writes_bf16(const Graph& g, const Node& n) const { return computes_bf16(g, n); }
  bool leave_bf16(const Graph& g, const Node& n);
  Id in_place_input(const Node& n) const;
  bool can_run_in_place(const Graph& g, const Node& n) const;
  std::size_t workspace_bytes(const Graph& g, const Node& n, bool in_place) const;
  std::unique_ptr<Step> emit(const Node& n, Emitter& e) const;
};

}  // namespace fovea::plan
