#include "modules/sampling.hpp"

#include <algorithm>

#include "modules/autograd/apply.hpp"
#include "modules/core/threads.hpp"
#include "modules/nn/training.hpp"

namespace fovea {
bool has_dropout(const Model& model, const Shape& input) {
  Random random;
  const Dropping dropping(random);
  const Trace traced = trace({input}, [&](const Vars& in) {
    Vars out;
    for (const auto& [name, value] : model.outputs(in[0])) out.push_back(value);
    return out;
  });
  return std::any_of(traced.nodes.begin(), traced.nodes.end(), [](const TraceNode& n) { return n.op->training_only(); });
}

NamedTensors sampled_outputs(const Model& model, const Tensor& x, Random& random, DType precision) {
  const NoGrad no_grad;
  const ThreadScope thread_scope;
  const Precision reduced(precision);
  const Dropping dropping(random);
  NamedTensors out;
  for (const auto& [name, value] : model.outputs(Var(x))) out.add(name, value.value().to(DType::f32));
  return out;
}

}  // namespace fovea
