#include "modules/plan/graph.hpp"

#include <algorithm>

#include "modules/autograd/tap.hpp"

namespace fovea::plan {
namespace {

bool contains(const std::vector<Id>& list, Id id) { return std::find(list.begin(), list.end(), id) != list.end(); }

}  // namespace

bool Node::reads_bf16(const Graph& g, std::size_t input) const {
  return std::visit([&](const auto& w) { return w.reads_bf16(g, *this, input); }, work);
}
bool Node::needs_bf16(const Graph& g, std::size_t input) const {
  return std::visit([&](const auto& w) { return w.needs_bf16(g, *this, input); }, work);
}
bool Node::writes_bf16(const Graph& g) const {
  return std::visit([&](const auto& w) { return w.writes_bf16(g, *this); }, work);
}
bool Node::leave_bf16(const Graph& g) {
  return std::visit([&](auto& w) { return w.leave_bf16(g, *this); }, work);
}
bool Node::allocates() const {
  return std::visit([](const auto& w) { return w.allocates(); }, work);
}
std::optional<std::int64_t> Node::view_offset() const {
  return std::visit([](const auto& w) { return w.view_offset(); }, work);
}
Id Node::in_place_input() const {
  return std::visit([&](const auto& w) { return w.in_place_input(*this); }, work);
}
bool Node::can_run_in_place(const Graph& g) const {
  return std::visit([&](const auto& w) { return w.can_run_in_place(g, *this); }, work);
}
std::size_t Node::workspace_bytes(const Graph& g, bool in_place) const {
  return std::visit([&](const auto& w) { return w.workspace_bytes(g, *this, in_place); }, work);
}
ElementwiseOps* Node::prologue(const Graph& g) {
  return std::visit([&](auto& w) { return w.prologue(g, *this); }, work);
}

Node* Graph::producer(Id id) {
  for (Node& n : nodes)
    if (!n.dead && id >= 0 && contains(n.outputs, id)) return &n;
  return nullptr;
}

std::vector<Node*> Graph::users(Id id) {
  std::vector<Node*> out;
  for (Node& n : nodes)
    if (!n.dead && contains(n.inputs, id)) out.push_back(&n);
  return out;
}

bool Graph::only_for(Id id, const Node& n) {
  if (value(id).kept || std::count(n.inputs.begin(), n.inputs.end(), id) != 1) return false;
  const auto readers = users(id);
  return readers.size() == 1 && readers.front() == &n;
}

Id Graph::add(const Shape& shape) {
  values.push_back({.shape = shape, .planned = true});
  return static_cast<Id>(values.size()) - 1;
}

Id Graph::add_constant(const Shape& shape, std::vector<Id> from, std::function<Tensor(const Tensors&)> make, std::string key) {
  const Id id = add(shape);
  value(id).constant = std::make_shared<ConstantExpr>(ConstantExpr{{}, std::move(from), std::move(make), std::move(key)});
  return id;
}

Id Graph::add_source(const Tensor& t) {
  const Id id = add(t.shape());
  value(id).constant = std::make_shared<ConstantExpr>(ConstantExpr{t, {}, {}});
  return id;
}

void Graph::remove_dead() {
  nodes.erase(std::remove_if(nodes.begin(), nodes.end(), [](const Node& n) { return n.dead; }), nodes.end());
}

bool is_large(const Shape& s) {
  constexpr std::int64_t kFew = 4;  // channels
  if (s.rank() == 4) return s[2] > 1 && s[3] > 1 && s[1] > kFew;
  return s.rank() == 3 && s[1] > 1 && s[2] > kFew;
}

Graph import_trace(const std::function<Vars(const Vars&)>& forward, const Shapes& inputs, const Options& options) {
  Trace trace;
  Graph g;
  {
    NoGrad no_grad;
    TraceScope scope(trace);
    Vars in;
    for (const Shape& s : inputs) in.push_back(scope.input(s));
    std::map<std::string, Var> feeds;
    for (const auto& [name, shape] : options.feeds) feeds[name] = scope.input(shape);
    TapScope taps(options.keep, feeds);
    for (const Var& out : forward(in)) g.outputs.push_back(scope.index_of(out));
    for (const auto& [name, v] : taps.kept) g.taps.push_back({name, scope.index_of(v)});
  }
  for (const TraceValue& v : trace.values) {
    g.values.push_back({.shape = v.shape});
    if (v.constant.defined()) g.values.back().constant = std::make_shared<ConstantExpr>(ConstantExpr{v.constant, {}, {}});
  }
  g.inputs = trace.inputs;
  for (const Id id : g.inputs) g.value(id).planned = true;
  for (const Id id : g.outputs) g.value(id).kept = true;
  for (const Kept& k : g.taps) g.value(k.value).kept = true;
  for (const TraceNode& n : trace.nodes) {
    check(!n.op->training_only(), "plan: ", n.path, n.path.empty() ? "" : ": ", n.op->name(),
          " computes something else in every run, as training does; compile the network outside training");
    Shapes in, out;
    for (const Id id : n.inputs) in.push_back(id < 0 ? Shape{} : g.shape(id));
    for (const Id id : n.outputs) out.push_back(g.shape(id));
    g.nodes.push_back({Eager(n.op), n.inputs, n.outputs, n.path, {std::string(n.op->name())}, n.op->multiply_adds(in, out)});
  }
  return g;
}

}  // namespace fovea::plan
