// Assigns bf16 to maps and f32 to the rest. A convolution of a map multiplies in bf16 where oneDNN has a fast kernel for that, with weights
// that are rounded once, after all folding. A map is stored in bf16 where the node that makes it can write bf16 and a node that reads it can
// read bf16. Small values stay f32 (reduced ones, gates and their layers: one value for each channel or position), and so does everything
// that a step computes internally. Where a node needs another type than a value has, a fused elementwise node without ops converts it.
// Runs last, so that fusion does not depend on the precision.
#include <map>

#include "modules/plan/convolution.hpp"
#include "modules/plan/passes/passes.hpp"

namespace fovea::plan {
namespace {

constexpr std::int64_t kFew = 4;  // channels; a map with at most as many counts as values for each position

// A map, or tokens, with several positions and many channels.
bool large(const Shape& s) {
  if (s.rank() == 4) return s[2] > 1 && s[3] > 1 && s[1] > kFew;
  return s.rank() == 3 && s[1] > 1 && s[2] > kFew;
}

class Assignment {
 public:
  explicit Assignment(Graph& g) : g_(g), refused_(g.nodes.size()) {}

  void run() {
    do choose();
    while (refuse());
    convert();
  }

 private:
  bool narrow(const Node& n) const {  // whether it multiplies in bf16
    const auto i = static_cast<std::size_t>(&n - g_.nodes.data());
    const auto* c = std::get_if<Convolve>(&n.work);
    return c && !c->single_output && !refused_[i] && (large(g_.shape(n.inputs[0])) || large(g_.shape(n.outputs[0])));
  }

  // Whether input i may come as bf16 when the outputs have the types that they have.
  bool reads(const Node& n, std::size_t i) const {
    if (std::holds_alternative<Eager>(n.work) || std::holds_alternative<Copy>(n.work) || std::holds_alternative<Compute>(n.work))
      return false;
    if (std::holds_alternative<View>(n.work)) return g_.value(n.outputs[0]).type == DType::bf16;
    if (std::holds_alternative<Convolve>(n.work))
      return narrow(n) && (i == 0 || (i == 3 && g_.value(n.outputs[0]).type == DType::bf16));
    const bool elementwise = std::holds_alternative<FusedElementwise>(n.work),
               reduces = std::holds_alternative<ChannelReduce>(n.work) || std::holds_alternative<GlobalReduce>(n.work) ||
                         std::holds_alternative<AxisReduce>(n.work);
    if (!elementwise && !reduces && !std::holds_alternative<Pool2d>(n.work)) return false;
    return i == 0 ? !elementwise || g_.shape(n.inputs[0]) == g_.shape(n.outputs[0])
                  : g_.shape(n.inputs[i]) == g_.shape(elementwise ? n.outputs[0] : n.inputs[0]);
  }

  bool writes(const Node& n) const {
    if (std::holds_alternative<View>(n.work)) return g_.value(n.inputs[0]).type == DType::bf16;
    return std::holds_alternative<FusedElementwise>(n.work) || std::holds_alternative<Pool2d>(n.work) || narrow(n);
  }

  // From the last node to the first: bf16 where a reader takes it. Then from the first to the last: f32 where the producer cannot write bf16.
  void choose() {
    for (Value& v : g_.values) v.type = DType::f32;
    for (auto n = g_.nodes.rbegin(); n != g_.nodes.rend(); ++n)
      for (std::size_t i = 0; i < n->inputs.size(); ++i) {
        const Id id = n->inputs[i];
        if (!g_.constant(id) && large(g_.shape(id)) && reads(*n, i)) g_.value(id).type = DType::bf16;
      }
    for (const Id id : g_.inputs) g_.value(id).type = DType::f32;
    for (const Node& n : g_.nodes)
      for (const Id id : n.outputs)
        if (id >= 0 && !writes(n)) g_.value(id).type = DType::f32;
    // A view has the type of its input.
    for (const Node& n : g_.nodes)
      if (std::holds_alternative<View>(n.work)) g_.value(n.outputs[0]).type = g_.value(n.inputs[0]).type;
  }

  // Returns convolutions for which oneDNN has no fast bf16 kernel to f32; returns whether there was one.
  bool refuse() {
    bool any = false;
    for (std::size_t i = 0; i < g_.nodes.size(); ++i) {
      const Node& n = g_.nodes[i];
      if (!narrow(n)) continue;
      dnn::ConvSpec spec = bare_convolution(g_, n, std::get<Convolve>(n.work));
      spec.from = DType::bf16;
      refused_[i] = !dnn::PreparedConv::make(spec);
      any |= refused_[i];
    }
    return any;
  }

  DType wanted(const Node& n, std::size_t i) const {
    const DType type = g_.value(n.inputs[i]).type;
    if (narrow(n)) return i == 0 ? DType::bf16 : i == 3 ? g_.value(n.outputs[0]).type : type;
    if (std::holds_alternative<View>(n.work)) return type;
    return type == DType::bf16 && !reads(n, i) ? DType::f32 : type;
  }

  void convert() {
    std::vector<Node> all;
    std::map<Id, Id> converted;  // of each value, in its other type
    for (const Node& n : g_.nodes) {
      Node changed = n;
      for (std::size_t i = 0; i < n.inputs.size(); ++i) {
        const Id id = n.inputs[i];
        if (g_.constant(id)) continue;
        const DType type = wanted(n, i);
        if (type == g_.value(id).type) continue;
        if (const auto it = converted.find(id); it == converted.end()) {
          const Id copy = g_.add(g_.shape(id));
          g_.value(copy).type = type, g_.value(copy).row_major = g_.value(id).row_major;
          all.push_back({FusedElementwise{}, {id}, {copy}, n.path, {type == DType::bf16 ? "to bf16" : "to f32"}});
          converted[id] = copy;
        }
        changed.inputs[i] = converted[id];
      }
      all.push_back(std::move(changed));
    }
    g_.nodes = std::move(all);
  }

  Graph& g_;
  std::vector<bool> refused_;
};

}  // namespace

void assign_precision(Graph& g) { Assignment(g).run(); }

}  // namespace fovea::plan
