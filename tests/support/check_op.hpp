// One harness for every op. Inputs are rounded to bf16 first, so that the f64, f32 and bf16 runs see the same numbers and
// differ by arithmetic alone.
//
// Checked: the inferred shape is the real one; f32 and bf16 against f64, values and gradients; the gradient along random
// directions against central differences in f64; with fresh memory full of NaN, so that what is not written shows; two
// backwards give twice the gradient, bit for bit; each sample alone is what it is in the batch; threads do not change the
// value; inputs of any strides; a compiled plan in f32 and bf16 against f64, by kernels of the plan where the op declares a lowering;
// the messages for wrong shapes.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "modules/autograd/apply.hpp"
#include "tests/support/tensors.hpp"

namespace fovea::test {

using OpFunction = std::function<Vars(const Vars&)>;

struct BadShapes {
  Shapes shapes;
  std::string message;  // part of the error
};

struct OpCheck {
  std::set<std::size_t> parameters = {};  // inputs without a batch axis: f32 beside bf16 maps, the same for every sample
  std::set<std::size_t> fixed = {};       // inputs that want no gradient; those of integers and booleans never do
  bool batch_mixing = false;              // samples depend on each other, or the first axis is no batch
  bool bf16 = true;
  bool strided = true;
  double conditioning = 1;     // multiplies the bounds where an op amplifies rounding by itself; 64 at most
  std::string unplanned = {};  // why a plan runs the op's own forward though it declares a lowering; empty: it must not
  bool training = false;       // draws or changes parameters as training does: a plan, which is for use, refuses it
  std::vector<BadShapes> bad = {};
};

void check_op(const std::string& name, const OpFunction& f, const Tensors& inputs, const OpCheck& options = {});

}  // namespace fovea::test
