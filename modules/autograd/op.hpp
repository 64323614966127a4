// What an op is. One small struct in one file under ops/, with
//   static constexpr std::string_view name;
//   static constexpr Policy policy;                                  how it behaves under reduced precision
//   Shapes  infer(const Shapes& in) const;                           output shapes; pure; refuses wrong inputs
//   Tensors forward(Context& c, const Tensors& in) const;            c.save(...) keeps what backward needs
//   Tensors backward(Context& c, const Tensors& grads) const;        one gradient per input; undefined where !c.needs(i)
// and optionally
//   std::int64_t multiply_adds(const Shapes& in, const Shapes& out) const;
//   Placement placement(const Shapes& in, const Shapes& out) const;  of ops that move the positions of a map
//   Lowering lower() const;                                          how a plan may run it (lowering.hpp)
//   bool training_only() const;                                      it draws or changes a parameter: no plan runs it
// `apply` (apply.hpp) is the only door to running one.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "modules/autograd/lowering.hpp"
#include "modules/core/tensor.hpp"

namespace fovea {

using Shapes = std::vector<Shape>;

// Under `precision: bf16`: contractions turn their activations into bf16 and accumulate in f32; pointwise ops follow their
// input; statistics (norms, softmax, pools) follow it too but compute in f32; losses turn everything into f32.
enum class Policy : std::uint8_t { contraction, pointwise, statistic, loss };

// Where the outputs of an op on a map (N, C, H, W) lie on its first input: output position o, of rows and of columns, is centred on
// input position o * step + offset.
struct Placement {
  std::array<double, 2> step{1, 1}, offset{0, 0};
};

// What one application of an op keeps between forward and backward.
class Context {
 public:
  explicit Context(std::vector<bool> needs = {}) : needs_(std::move(needs)) {}
  // Whether the gradient of input i is wanted.
  bool needs(std::size_t i) const { return i < needs_.size() && needs_[i]; }
  // Whether any is: when false nothing has to be saved.
  bool recording() const;
  void save(Tensors tensors) {
    if (recording()) saved_ = std::move(tensors);
  }
  const Tensor& saved(std::size_t i) const { return saved_.at(i); }
  void release() { saved_.clear(); }

 private:
  std::vector<bool> needs_;
  Tensors saved_;
};

class Op {
 public:
  virtual ~Op() = default;
  virtual std::string_view name() const = 0;
  virtual Policy policy() const = 0;
  virtual Shapes infer(const Shapes& in) const = 0;
  virtual Tensors forward(Context& c, const Tensors& in) const = 0;
  virtual Tensors backward(Context& c, const Tensors& grads) const = 0;
  virtual std::int64_t multiply_adds(const Shapes& in, const Shapes& out) const = 0;
  virtual std::optional<Placement> placement(const Shapes& in, const Shapes& out) const = 0;  // nullopt: it moves none
  virtual Lowering lower() const = 0;
  virtual bool training_only() const = 0;
};

// Wraps an op struct (see the top of this file).
template <class T>
class OpModel final : public Op {
 public:
  explicit OpModel(T op) : op_(std::move(op)) {}
  std::string_view name() const override { return T::name; }
  Policy policy() const override { return T::policy; }
  Shapes infer(const Shapes& in) const override { return op_.infer(in); }
  Tensors forward(Context& c, const Tensors& in) const override { return op_.forward(c, in); }
  Tensors backward(Context& c, const Tensors& grads) const override { return op_.backward(c, grads); }
  std::int64_t multiply_adds(const Shapes& in, const Shapes& out) const override {
    if constexpr (requires { op_.multiply_adds(in, out); }) return op_.multiply_adds(in, out);
    else return 0;
  }
  std::optional<Placement> placement(const Shapes& in, const Shapes& out) const override {
    if constexpr (requires { op_.placement(in, out); }) return op_.placement(in, out);
    else return std::nullopt;
  }
  Lowering lower() const override {
    if constexpr (requires { op_.lower(); }) return op_.lower();
    else return {};
  }
  bool training_only() const override {
    if constexpr (requires { op_.training_only(); }) return op_.training_only();
    else return false;
  }

 private:
  T op_;
};

}  // namespace fovea
