// oneDNN convolutions that are created once and executed many times on bare memory.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "modules/core/dnnl.hpp"

namespace fovea::dnn {

// A oneDNN eltwise post-op. a: slope of relu, lower bound of clip; b: upper bound of clip; the others take neither.
struct Eltwise {
  enum class Kind : std::uint8_t { relu, clip, sigmoid, tanh, hard_swish, silu } kind;
  float a = 0, b = 0;
};

// y = after(conv(x, w) + bias + residual). x: (N, I, H, W); w: (O, I / groups, kh, kw), or (I, O / groups, kh, kw) where transposed;
// y and residual: (N, O, OH, OW); bias: (O).
struct ConvSpec {
  enum class Residual : std::uint8_t { none, read, in_place };  // in_place: y holds the residual before it runs
  Conv conv;                                                    // `conv.activation` is ignored: see `after`
  Shape x, w, y;
  bool bias = false;
  Residual residual = Residual::none;
  std::optional<Eltwise> after = {};
  DType from = DType::f32, to = DType::f32;  // of x and w; of y and the residual. f32 gives f32, bf16 gives bf16 or f32
};

// Immutable, shared by threads; a Call holds what changes from run to run. x, y and residual are dense channels-last, the bias is f32.
class PreparedConv {
 public:
  // Null where oneDNN has no fast implementation. Made for the number of threads that the calling thread is set to.
  static std::shared_ptr<const PreparedConv> make(const ConvSpec& spec);
  virtual ~PreparedConv() = default;

  virtual std::size_t scratchpad_bytes() const = 0;
  virtual const std::string& implementation() const = 0;  // oneDNN's name for it, as in "brgconv:avx512_core"
  // w, f32 and row-major, in the layout and type that the primitive wants, as a tensor of bytes.
  virtual Tensor reorder(const Tensor& w) const = 0;
  // A key of that layout: where two primitives give the same one, both can read one reordered copy.
  virtual std::string weight_layout() const = 0;

  struct Pointers {
    const void *x = nullptr, *w = nullptr, *bias = nullptr,
               *residual = nullptr;  // w: from reorder(); null where the spec has none
    void *y = nullptr, *scratchpad = nullptr;
  };
  // oneDNN's handles for one execution at a time: one Call for each thread that runs. Error where oneDNN reports one.
  class Call {
   public:
    virtual ~Call() = default;
    virtual void run(const Pointers& p) = 0;
  };
  virtual std::unique_ptr<Call> call() const = 0;
};

}  // namespace fovea::dnn
