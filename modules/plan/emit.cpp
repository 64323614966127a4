#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "modules/core/threads.hpp"
#include "modules/plan/algorithm.hpp"
#include "modules/plan/convolution.hpp"
#include "modules/plan/memory.hpp"
#include "modules/plan/plan_state.hpp"
#include "modules/plan/steps/steps.hpp"

namespace fovea::plan {
namespace {

// The oneDNN convolution with residual and activation fused; null where oneDNN does not have it. `in_place`: the residual is in y.
std::shared_ptr<const dnn::PreparedConv> fused(const Graph& g, const Node& n, bool in_place) {
  return dnn::PreparedConv::make(fused_convolution(g, n, std::get<Convolve>(n.work), in_place));
}

std::vector<Algorithm> algorithms(const Graph& g, bool tune) {
  std::vector<Algorithm> all;
  for (const Node& n : g.nodes) {
    const auto* c = std::get_if<Convolve>(&n.work);
    all.push_back(c ? algorithm_for(g, n, *c, tune) : Algorithm::direct);
  }
  return all;
}

class Emitter {
 public:
  Emitter(const Graph& g, const Options& options)
      : g_(g),
        algorithms_(algorithms(g, options.tune)),
        life_(g, [&](const Node& n) { return in_place(n); }),
        allocations_(life_.list()),
        state_(std::make_shared<Plan::State>(g, options.shared ? options.shared : std::make_shared<SharedConstants>())) {}

  std::shared_ptr<Plan::State> run() {
    for (std::size_t i = 0; i < g_.nodes.size(); ++i) prepare(g_.nodes[i], static_cast<int>(i));
    state_->memory = {assign_offsets(allocations_), life_.bytes_without_sharing(), 0};
    for (std::size_t i = 0; i < g_.values.size(); ++i) eager_slots_.push_back(0);
    for (const Node& n : g_.nodes)
      if (std::holds_alternative<Eager>(n.work))
        for (const Id id : n.outputs) eager_slots_[static_cast<std::size_t>(id)] = ++state_->eager_slots;
    for (std::size_t i = 0; i < g_.nodes.size(); ++i) add(g_.nodes[i], i);
    for (const Id id : g_.inputs) state_->inputs.push_back(g_.shape(id));
    for (const Id id : g_.outputs) state_->outputs.push_back(kept(id, {false, state_->outputs.size()}));
    for (const Kept& k : g_.taps) state_->taps.push_back({k.name, kept(k.value, {true, state_->taps.size()})});
    release_eager();
    state_->threads = threads();
    state_->constants.freeze();
    return std::move(state_);
  }

 private:
  // Workspaces must be known before the arena is planned: each is an allocation that is in use during one step.
  void prepare(const Node& n, int step) {
    std::size_t bytes = 0;
    prepared_.emplace_back();
    if (const auto* c = std::get_if<Convolve>(&n.work)) bytes = prepare_convolution(n, *c, static_cast<std::size_t>(step));
    if (const auto* c = std::get_if<Compute>(&n.work)) bytes = static_cast<std::size_t>(c->bound.workspace) * sizeof(float);
    if (std::holds_alternative<GlobalReduce>(n.work))
      bytes = static_cast<std::size_t>(global_reduce_workspace(g_.shape(n.inputs[0]))) * sizeof(float);
    if (const auto* l = std::get_if<AxisReduce>(&n.work))
      bytes = static_cast<std::size_t>(AxisReduceKernel(l->axes, g_.shape(n.inputs[0])).workspace()) * sizeof(float);
    workspaces_.push_back(allocations_.size());
    allocations_.push_back({bytes, step, step});
  }

  // Whether a convolution may write over its residual, and a fused elementwise node over an input that it reads several times.
  bool in_place(const Node& n) const {
    if (const auto* s = std::get_if<FusedElementwise>(&n.work)) return kernel(n, *s).single_group();
    const auto step = static_cast<std::size_t>(&n - g_.nodes.data());
    return winograd(step) || algorithms_[step] == Algorithm::gemv || fused(g_, n, true);
  }
  bool winograd(std::size_t step) const { return winograd_side(algorithms_[step]).has_value(); }
  Winograd winograd(const Node& n, std::size_t step, const Convolve& c) const {
    return {c.options, g_.shape(n.inputs[0]), g_.shape(n.outputs[0]), *winograd_side(algorithms_[step])};
  }

  // Bytes of workspace.
  std::size_t prepare_convolution(const Node& n, const Convolve& c, std::size_t step) {
    if (algorithms_[step] == Algorithm::single_output)
      return static_cast<std::size_t>(plan::single_output_conv(g_, n, c).workspace()) * sizeof(float);
    if (algorithms_[step] == Algorithm::gemv) return 0;
    if (winograd(step)) return static_cast<std::size_t>(winograd(n, step, c).workspace(threads())) * sizeof(float);
    auto& made = prepared_.back();
    made = fused(g_, n, life_.overwrites(n, n.inputs[3]));
    if (!made) made = dnn::PreparedConv::make(bare_convolution(g_, n, c)), unfused_.push_back(static_cast<int>(step));
    check(made != nullptr, n.path, ": plan: oneDNN has no fast convolution for ", g_.shape(n.inputs[0]));
    return made->scratchpad_bytes();
  }

  BufferRef workspace(std::size_t step) const {
    return {BufferRef::Kind::arena, allocations_[workspaces_[step]].offset, Shape{}};
  }

  // Where a value lies; a constant without a transform.
  BufferRef at(Id id) {
    if (id < 0) return {};
    BufferRef b{BufferRef::Kind::arena, 0, g_.shape(id), g_.value(id).type, 0, g_.value(id).row_major};
    const auto [from, offset] = root(id);
    const auto input = std::find(g_.inputs.begin(), g_.inputs.end(), from);
    if (g_.constant(id)) b.kind = BufferRef::Kind::constant, b.at = state_->constants.want(id);
    else if (input != g_.inputs.end())
      b.kind = BufferRef::Kind::input, b.at = static_cast<std::size_t>(input - g_.inputs.begin()), b.offset = offset;
    else if (life_.allocation(id) >= 0)
      b.at = allocations_[static_cast<std::size_t>(life_.allocation(id))].offset + life_.offset(id);
    else b.kind = BufferRef::Kind::eager, b.at = eager_slots_[static_cast<std::size_t>(id)] - 1;
    return b;
  }

  // The value below all views, and the first element of the view.
  std::pair<Id, std::int64_t> root(Id id) const {
    std::int64_t offset = 0;
    for (auto n = g_.nodes.rbegin(); n != g_.nodes.rend(); ++n)
      if (const auto* view = std::get_if<View>(&n->work); view && n->outputs[0] == id) id = n->inputs[0], offset += view->offset;
    return {id, offset};
  }

  // An operand that broadcasts to `full`: a constant is converted to f32 in the plan's layout at the rank of `full`.
  BufferRef operand(Id id, const Shape& full) {
    if (id < 0 || !g_.constant(id)) return at(id);
    const auto transform = [rank = full.rank()](const Tensor& t) {
      Shape padded;
      for (int i = t.rank(); i < rank; ++i) padded.push_back(1);
      for (const auto d : t.shape()) padded.push_back(d);
      return t.to(DType::f32).reshape(padded).contiguous(rank == 4 ? Layout::channels_last : Layout::row_major);
    };
    return {BufferRef::Kind::constant, state_->constants.want(id, transform, fmt::format("operand{}", full.rank())),
            g_.shape(id)};
  }

  // A constant after `transform`; `key` as in Constants::want().
  BufferRef constant(Id id, std::function<Tensor(const Tensor&)> transform, std::string key) {
    return {BufferRef::Kind::constant, state_->constants.want(id, std::move(transform), std::move(key)), Shape{}};
  }

  std::vector<BufferRef> operands(const Node& n, const ElementwiseOps& ops) {
    std::vector<BufferRef> inputs{at(n.inputs[0])};
    const Shape& full = g_.shape(std::holds_alternative<FusedElementwise>(n.work) ? n.outputs[0] : n.inputs[0]);
    for (std::size_t i = 1; i < n.inputs.size(); ++i) {
      const bool channels = std::any_of(ops.begin(), ops.end(), [&](const ElementwiseOp& op) {
        return op.kind == ElementwiseOp::Kind::affine && (op.operand == i || op.shift == i);
      });
      inputs.push_back(operand(n.inputs[i], channels ? g_.shape(n.inputs[i]) : full));
    }
    return inputs;
  }

  BufferRef kept(Id id, Plan::State::Copy copy) {
    BufferRef b = at(id);
    if (b.kind == BufferRef::Kind::arena) state_->entries[made_at_.at(id)].copies.push_back(copy);
    return b;
  }

  ElementwiseKernel kernel(const Node& n, const FusedElementwise& s) const {
    const Id y = n.outputs[0];
    return ElementwiseKernel(s.ops, g_.shape(y), operand_types(n), g_.value(y).type);
  }

  std::vector<ElementwiseKernel::Operand> operand_types(const Node& n) const {
    std::vector<ElementwiseKernel::Operand> out;
    for (const Id id : n.inputs) out.push_back({g_.shape(id), g_.value(id).type});
    return out;
  }

  std::unique_ptr<Step> make(const Node& n, std::size_t i, const Convolve& c) {
    if (algorithms_[i] == Algorithm::single_output) return make(n, i, c, plan::single_output_conv(g_, n, c));
    if (algorithms_[i] == Algorithm::gemv) return make(n, c, *gemv_of(g_, n, c));
    if (winograd(i)) return make(n, i, c, winograd(n, i, c));
    const auto made = prepared_[i];
    const auto weight = [made](const Tensor& w) { return made->reorder(row_major_weight(w)); };
    ConvolveParts p{.made = made,
                    .call = state_->calls.size(),
                    .x = at(n.inputs[0]),
                    .residual = at(n.inputs[3]),
                    .y = at(n.outputs[0]),
                    .scratchpad = workspace(i)};
    state_->calls.push_back(made);
    p.weight = constant(n.inputs[1], weight, made->weight_layout());
    if (n.inputs[2] >= 0) p.bias = operand(n.inputs[2], g_.shape(n.inputs[2]));
    if (std::find(unfused_.begin(), unfused_.end(), static_cast<int>(i)) != unfused_.end()) p.after = unfused(n, c);
    return convolve_step(std::move(p));
  }

  std::unique_ptr<Step> make(const Node& n, std::size_t i, const Convolve& c, const SingleOutputConv& problem) {
    SingleOutputConvParts p{
        .problem = problem, .x = at(n.inputs[0]), .y = at(n.outputs[0]), .workspace = workspace(i), .after = c.after};
    p.weight = constant(
        n.inputs[1], [problem](const Tensor& w) { return problem.weight(w); },
        problem.transposed ? "single-output transposed" : "single-output");
    if (n.inputs[2] >= 0) p.bias = operand(n.inputs[2], g_.shape(n.inputs[2]));
    return single_output_conv_step(std::move(p));
  }

  std::unique_ptr<Step> make(const Node& n, std::size_t i, const Convolve& c, const Winograd& winograd) {
    WinogradParts p{.problem = winograd,
                    .x = at(n.inputs[0]),
                    .residual = at(n.inputs[3]),
                    .y = at(n.outputs[0]),
                    .workspace = workspace(i),
                    .after = c.after};
    const auto weight = [winograd](const Tensor& w) { return winograd.transform(row_major_weight(w)); };
    p.weight = constant(n.inputs[1], weight, fmt::format("winograd{}x{}", winograd.side().rows, winograd.side().columns));
    if (n.inputs[2] >= 0) p.bias = operand(n.inputs[2], g_.shape(n.inputs[2]));
    return winograd_step(std::move(p));
  }

  std::unique_ptr<Step> make(const Node& n, const Convolve& c, const Gemv& problem) {
    GemvParts p{.problem = problem, .x = at(n.inputs[0]), .residual = at(n.inputs[3]), .y = at(n.outputs[0]), .after = c.after};
    p.weight = constant(n.inputs[1], row_major_weight, "row-major");
    if (n.inputs[2] >= 0) p.bias = operand(n.inputs[2], g_.shape(n.inputs[2]));
    return gemv_step(std::move(p));
  }

  // Residual and activation of a convolution for which oneDNN does not fuse them.
  ElementwiseKernel unfused(const Node& n, const Convolve& c) const {
    ElementwiseOps ops;
    const ElementwiseKernel::Operand y{g_.shape(n.outputs[0]), g_.value(n.outputs[0]).type};
    if (n.inputs[3] >= 0) ops.push_back({.kind = ElementwiseOp::Kind::binary, .binary = sum_of_two(), .operand = 1});
    if (c.after) ops.push_back({.kind = ElementwiseOp::Kind::pointwise, .pointwise = *c.after});
    return {ops, y.shape, {y, y}, y.type};
  }

  std::unique_ptr<Step> make(const Node& n, std::size_t, const FusedElementwise& s) {
    return elementwise_step(kernel(n, s), operands(n, s.ops), at(n.outputs[0]));
  }
  std::unique_ptr<Step> make(const Node& n, std::size_t i, const GlobalReduce&) {
    return global_reduce_step(at(n.inputs[0]), at(n.outputs[0]), at(n.outputs[1]), workspace(i));
  }
  std::unique_ptr<Step> make(const Node& n, std::size_t, const ChannelReduce& s) {
    return channel_reduce_step(ElementwiseKernel(s.ops, g_.shape(n.inputs[0]), operand_types(n), DType::f32, true),
                               operands(n, s.ops), at(n.outputs[0]), s.mean_first);
  }
  std::unique_ptr<Step> make(const Node& n, std::size_t i, const AxisReduce& s) {
    std::vector<BufferRef> out;
    for (const Id id : n.outputs) out.push_back(at(id));
    return axis_reduce_step(AxisReduceKernel(s.axes, g_.shape(n.inputs[0])), at(n.inputs[0]), std::move(out), workspace(i));
  }
  std::unique_ptr<Step> make(const Node& n, std::size_t, const Pool2d& w) {
    return pool2d_step(w.pool, at(n.inputs[0]), at(n.outputs[0]));
  }
  std::unique_ptr<Step> make(const Node&, std::size_t, const View&) { return nullptr; }
  // A part that its producer wrote into the output needs no copy.
  std::unique_ptr<Step> make(const Node& n, std::size_t, const Copy& c) {
    std::vector<BufferRef> in;
    for (const Id id : n.inputs) in.push_back(operand(id, id < 0 ? Shape{} : g_.shape(id)));
    const BufferRef y = at(n.outputs[0]);
    std::vector<Copy::Piece> pieces;
    for (const Copy::Piece& p : c.pieces) {
      const auto bytes = [](std::int64_t elements) { return static_cast<std::size_t>(elements) * sizeof(float); };
      const BufferRef& x = in[p.input];
      const bool in_place =
          p.copy.contiguous() && x.kind == BufferRef::Kind::arena && x.at + bytes(p.copy.from) == y.at + bytes(p.copy.to);
      if (!in_place) pieces.push_back(p);
    }
    return pieces.empty() ? nullptr : strided_copy_step(std::move(pieces), std::move(in), y);
  }
  std::unique_ptr<Step> make(const Node& n, std::size_t i, const Compute& c) {
    std::vector<BufferRef> in, out;
    const auto row_major = [](const Tensor& t) { return t.to(DType::f32).contiguous(Layout::row_major); };
    for (const Id id : n.inputs)
      in.push_back(id >= 0 && c.row_major && g_.constant(id) ? constant(id, row_major, "row-major f32")
                                                             : operand(id, id < 0 ? Shape{} : g_.shape(id)));
    for (const Id id : n.outputs) out.push_back(at(id));
    return compute_step(c, n.op_names.back(), std::move(in), std::move(out), workspace(i));
  }
  std::unique_ptr<Step> make(const Node& n, std::size_t, const Eager& e) {
    std::vector<BufferRef> in, out;
    for (const Id id : n.inputs) in.push_back(at(id));
    for (const Id id : n.outputs) out.push_back(at(id));
    return eager_step(e.op, n.path, std::move(in), std::move(out));
  }

  void add(const Node& n, std::size_t i) {
    auto step = std::visit([&](const auto& work) { return make(n, i, work); }, n.work);
    for (const Id id : n.inputs)
      if (id >= 0 && eager_slots_[static_cast<std::size_t>(id)]) last_[id] = state_->entries.size();
    for (const Id id : n.outputs) made_at_[id] = state_->entries.size() - (step ? 0 : 1);  // a view is computed with its input
    if (!step) return;
    Plan::StepInfo info{n.path, step->how(), n.op_names, {}, DType::f32, n.multiply_adds, 0};
    for (const auto* ids : {&n.inputs, &n.outputs})
      for (const Id id : *ids)
        if (id >= 0) info.bytes += static_cast<std::size_t>(g_.shape(id).elements()) * size_of(g_.value(id).type);
    for (const Id id : n.outputs)
      if (id >= 0) info.output = g_.shape(id), info.type = g_.value(id).type;
    for (const Id id : n.outputs)
      if (id >= 0 && eager_slots_[static_cast<std::size_t>(id)]) last_[id] = state_->entries.size();
    state_->infos.push_back(std::move(info));
    state_->entries.push_back({std::move(step), {}});
  }

  void release_eager() {
    for (const auto& [id, entry] : last_)
      if (!g_.value(id).kept) state_->entries[entry].released.push_back(eager_slots_[static_cast<std::size_t>(id)] - 1);
  }

  const Graph& g_;
  std::vector<Algorithm> algorithms_;  // of each node
  Lifetimes life_;
  std::vector<Allocation> allocations_;
  std::shared_ptr<Plan::State> state_;
  std::vector<std::shared_ptr<const dnn::PreparedConv>> prepared_;
  std::vector<int> unfused_;
  std::vector<std::size_t> workspaces_, eager_slots_;
  std::map<Id, std::size_t> last_, made_at_;  // entries that read an eager value last, that compute a value
};

}  // namespace

std::shared_ptr<Plan::State> emit(const Graph& g, const Options& options) { return Emitter(g, options).run(); }

}  // namespace fovea::plan
