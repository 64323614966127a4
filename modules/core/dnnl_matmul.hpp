// A matrix product made once and run many times on bare memory, from any thread.
#pragma once

#include <memory>

#include "modules/core/shape.hpp"

namespace fovea::dnn {

class PreparedMatmul {
 public:
  struct Operand {
    Shape shape, strides;
  };
  // c = a b in f32, as dnn::matmul takes them; null where oneDNN has nothing but a slow implementation. Made for as many threads as the
  // calling thread has.
  static std::shared_ptr<const PreparedMatmul> make(const Operand& a, const Operand& b, const Operand& c);
  virtual ~PreparedMatmul() = default;

  virtual std::size_t scratchpad_bytes() const = 0;
  virtual void run(const float* a, const float* b, float* c, void* scratchpad) const = 0;
};

}  // namespace fovea::dnn
