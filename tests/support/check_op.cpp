#include "tests/support/check_op.hpp"

#include "modules/core/memory.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_harness.hpp"

namespace fovea::test {
namespace {

// More than this no bound is multiplied by: what amplifies rounding further is no op to be checked by it.
constexpr double kMostConditioning = 64;

struct NanInFreshMemory {
  NanInFreshMemory() { memory::fill_fresh_with_nan(true); }
  ~NanInFreshMemory() { memory::fill_fresh_with_nan(false); }
};

}  // namespace

void OpHarness::shapes() const {
  INFO("inferred shapes");
  Shapes in;
  for (const Tensor& t : inputs_) in.push_back(t.shape());
  const Trace graph = trace(in, f_);
  const OpResult real = run(DType::f32);
  REQUIRE(graph.outputs.size() == real.values.size());
  for (std::size_t k = 0; k < real.values.size(); ++k)
    CHECK(graph.values[static_cast<std::size_t>(graph.outputs[k])].shape == real.values[k].shape());
}

void OpHarness::against_reference(DType type) const {
  INFO("against f64: " << name_of(type));
  compare(run(type), reference_, type);
}

void OpHarness::messages() const {
  for (const BadShapes& bad : o_.bad) {
    std::string message = "no error";
    try {
      trace(bad.shapes, f_);
    } catch (const Error& e) { message = e.what(); }
    INFO("error: " << message);
    CHECK(message.find(bad.message) != std::string::npos);
  }
}

void OpHarness::all() {
  reference_ = run(DType::f64);
  shapes();
  against_reference(DType::f32);
  if (o_.bf16) against_reference(DType::bf16);
  directions();
  repeated_backward();
  alone();
  threads_agree();
  strides();
  if (o_.training) refused_in_plan();
  else planned();
  messages();
}

void check_op(const std::string& name, const OpFunction& f, const Tensors& inputs, const OpCheck& options) {
  INFO("op: " << name);
  REQUIRE(options.conditioning <= kMostConditioning);
  const NanInFreshMemory nan;
  OpHarness(f, inputs, options).all();
}

}  // namespace fovea::test
