#include "modules/autograd/modes.hpp"

#include <algorithm>
#include <utility>

#include "modules/core/budget.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace fovea {

modes::State& modes::state() {
  thread_local State s;
  return s;
}

NoGrad::NoGrad() : previous_(std::exchange(modes::state().no_grad, true)) {}
NoGrad::~NoGrad() { modes::state().no_grad = previous_; }
bool NoGrad::active() { return modes::state().no_grad; }

FrozenParameters::FrozenParameters() : previous_(std::exchange(modes::state().frozen, true)) {}
FrozenParameters::~FrozenParameters() { modes::state().frozen = previous_; }

Precision::Precision(DType compute) : previous_(modes::state().precision) {
  check(compute == DType::f32 || compute == DType::bf16 || compute == DType::f64, "precision: expected f32 or bf16, got ",
        name_of(compute));
  modes::state().precision = compute;
}
Precision::~Precision() { modes::state().precision = previous_; }
DType Precision::current() { return modes::state().precision; }

namespace {

// What the processor can do in bf16. AVX-512 (avx512_core) is what oneDNN needs; the other two make it worth while.
struct Bf16Support {
  bool works = false, instructions = false, amx = false;
};

Bf16Support bf16_support() {
  Bf16Support s;
#if defined(__x86_64__)
  s.works = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) s.amx = (d >> 22 & 1u) && (d >> 24 & 1u);  // AMX-BF16, AMX-TILE
  if (__get_cpuid_count(7, 1, &a, &b, &c, &d)) s.instructions = a >> 5 & 1u;              // AVX512_BF16
#endif
  return s;
}

}  // namespace

DType parse_precision(const std::string& text, std::string* warning) {
  const Bf16Support support = bf16_support();
  if (text == "f32") return DType::f32;
  if (text == "auto") return support.amx ? DType::bf16 : DType::f32;
  check(text == "bf16", "precision: expected f32, bf16 or auto, got '", text, "'");
  check(support.works, "precision: bf16 needs a processor with AVX-512 (avx512_core); use f32");
  if (!support.amx && !support.instructions && warning) *warning = "this processor has no bf16 instructions; f32 may be faster";
  return DType::bf16;
}

TraceScope::TraceScope(Trace& trace) : previous_(std::exchange(modes::state().trace, this)), trace_(trace) {}
TraceScope::~TraceScope() { modes::state().trace = previous_; }

Var TraceScope::input(const Shape& shape) {
  trace_.inputs.push_back(static_cast<int>(trace_.values.size()));
  return append(shape);
}

Var TraceScope::append(const Shape& shape) {
  ShapeBudget::value(shape);
  auto state = std::make_shared<VarState>();
  state->shape = shape;
  state->trace_value = static_cast<int>(trace_.values.size());
  trace_.values.push_back({shape, {}});
  return Var(std::move(state));
}

int TraceScope::index_of(const Var& v) {
  if (!v.defined()) return -1;
  if (v.state()->trace_value >= 0) return v.state()->trace_value;
  auto [it, fresh] = constants_.try_emplace(v.state(), static_cast<int>(trace_.values.size()));
  if (fresh) trace_.values.push_back({v.shape(), v.value()});
  return it->second;
}

Vars TraceScope::record(std::shared_ptr<const Op> op, const Vars& inputs, const Shapes& out) {
  TraceNode node{std::move(op), {}, {}, PathScope::current()};
  for (const Var& v : inputs) node.inputs.push_back(index_of(v));
  Vars results;
  for (const Shape& s : out) {
    results.push_back(append(s));
    node.outputs.push_back(results.back().state()->trace_value);
  }
  trace_.nodes.push_back(std::move(node));
  return results;
}

std::int64_t Trace::multiply_adds() const {
  std::int64_t total = 0;
  for (const TraceNode& node : nodes) {
    Shapes in, out;
    for (int i : node.inputs) in.push_back(i < 0 ? Shape{} : values[static_cast<std::size_t>(i)].shape);
    for (int i : node.outputs) out.push_back(values[static_cast<std::size_t>(i)].shape);
    total += node.op->multiply_adds(in, out);
  }
  return total;
}

}  // namespace fovea
