// The op in a compiled plan: within the bounds of the eager op, and by a kernel of the plan where it declares one.
#include <algorithm>

#include "modules/plan/plan.hpp"
#include "tests/support/bf16.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_harness.hpp"

namespace fovea::test {
namespace {

// Whether every op that f is made of says how a plan may run it.
bool declares_lowering(const Trace& graph) {
  return std::all_of(graph.nodes.begin(), graph.nodes.end(),
                     [](const TraceNode& n) { return !std::holds_alternative<std::monostate>(n.op->lower()); });
}

}  // namespace

// Parameters and whole numbers are constants of the plan, as they are in a network.
void OpHarness::planned() const {
  std::set<std::size_t> constants;
  for (std::size_t i = 0; i < inputs_.size(); ++i)
    if (o_.parameters.count(i) || !is_floating(inputs_[i].dtype())) constants.insert(i);
  if (constants.size() == inputs_.size())  // else all of it would be folded into one more constant
    for (std::size_t i = 0; i < inputs_.size(); ++i)
      if (is_floating(inputs_[i].dtype())) constants.erase(i);
  planned(DType::f32, constants);
  if (o_.bf16 && bf16_problem().empty()) planned(DType::bf16, constants);
}

void OpHarness::planned(DType precision, const std::set<std::size_t>& constants) const {
  INFO("planned: " << name_of(precision));
  const Vars all = leaves(inputs_, DType::f32);
  Tensors given;
  Shapes shapes;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (!constants.count(i)) given.push_back(all[i].value()), shapes.push_back(given.back().shape());
  const auto forward = [&](const Vars& in) {
    Vars vars = all;
    std::size_t next = 0;
    for (std::size_t i = 0; i < vars.size(); ++i)
      if (!constants.count(i)) vars[i] = in.at(next++);
    return f_(vars);
  };
  const plan::Plan plan = plan::compile(forward, shapes, {.precision = precision, .tune = false});
  const OpResult got{plan.run(given).outputs, {}};
  compare(got, {reference_.values, {}}, precision, 2);
  if (declares_lowering(trace(shapes, forward))) CHECK(plan.lowered() == o_.unplanned.empty());
  else CHECK(o_.unplanned.empty());
}

void OpHarness::refused_in_plan() const {
  Shapes shapes;
  for (const Tensor& t : inputs_) shapes.push_back(t.shape());
  CHECK_THROWS_WITH(plan::compile([&](const Vars& in) { return f_(in); }, shapes),
                    Catch::Matchers::ContainsSubstring("outside training"));
}

}  // namespace fovea::test
