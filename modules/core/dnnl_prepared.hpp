// A convolution made once and run many times on bare memory: what a plan is built of.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "modules/core/dnnl.hpp"

namespace fovea::dnn {

// Functions that oneDNN computes behind a convolution. a: slope of relu, lower bound of clip; b: upper bound of clip.
struct Eltwise {
  enum class Kind : std::uint8_t { relu, clip, sigmoid, tanh, hard_swish, silu } kind;
  float a = 0, b = 0;
};

// y = after(conv(x, w) + bias + residual).
struct ConvSpec {
  enum class Residual : std::uint8_t { none, read, in_place };  // in_place: y holds the residual before it runs
  Conv conv;                                                    // its activation plays no part
  Shape x, w, y;
  bool bias = false;
  Residual residual = Residual::none;
  std::optional<Eltwise> after = {};
  DType from = DType::f32, to = DType::f32;  // of x and the weights; of y and the residual. bf16 gives bf16 or f32
};

// Immutable and shared by threads; what changes from run to run is in a Call. x, y and residual dense channels-last; bias f32.
class PreparedConv {
 public:
  // Null where oneDNN has nothing but a slow implementation. Made for as many threads as the calling thread has.
  static std::shared_ptr<const PreparedConv> make(const ConvSpec& spec);
  virtual ~PreparedConv() = default;

  virtual std::size_t scratchpad_bytes() const = 0;
  virtual const std::string& implementation() const = 0;
  // w (f32, row-major, PyTorch's order) in the layout and type that the primitive wants, as bytes.
  virtual Tensor reorder(const Tensor& w) const = 0;
  // Bytes that name this change: primitives that give the same ones may read one copy.
  virtual std::string weight_layout() const = 0;

  struct Pointers {
    const void *x = nullptr, *w = nullptr, *bias = nullptr, *residual = nullptr;  // w: as reorder gave it
    void *y = nullptr, *scratchpad = nullptr;
  };
  // One runner's own handles: a Call is used by one thread at a time.
  class Call {
   public:
    virtual ~Call() = default;
    virtual void run(const Pointers& p) = 0;
  };
  virtual std::unique_ptr<Call> call() const = 0;
};

}  // namespace fovea::dnn
