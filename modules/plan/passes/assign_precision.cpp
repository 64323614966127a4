// Gives maps bf16, and what must be exact f32. A convolution over a map computes in bf16 where oneDNN has a fast kernel for it, on
// weights rounded once behind all folding. A map is stored in bf16 where a step that can write it so makes it and one that can read it
// so reads it: convolutions, chains, pools, statistics. Everything small stays f32 (statistics, gates and their layers, one value for
// each channel or place), and everything that a step computes on the way. Where a step wants another type than the value has, a chain
// without links converts it. Runs last: what is fused does not depend on the precision.
#include <map>

#include "modules/plan/convolution.hpp"
#include "modules/plan/passes/passes.hpp"

namespace fovea::plan {
namespace {

constexpr std::int64_t kFew = 4;  // channels: fewer are values for each position

// A map, or tokens, with several positions and many channels.
bool large(const Shape& s) {
  if (s.rank() == 4) return s[2] > 1 && s[3] > 1 && s[1] > kFew;
  return s.rank() == 3 && s[1] > 1 && s[2] > kFew;
}

class Assignment {
 public:
  explicit Assignment(Mutable& g) : g_(g), refused_(g.nodes.size()) {}

  void run() {
    do choose();
    while (refuse());
    convert();
  }

 private:
  bool narrow(const Node& n) const {  // whether it multiplies in bf16
    const auto i = static_cast<std::size_t>(&n - g_.nodes.data());
    const auto* c = std::get_if<Convolve>(&n.work);
    return c && !c->planes && !refused_[i] && (large(g_.shape(n.inputs[0])) || large(g_.shape(n.outputs[0])));
  }

  // Whether input i may come as bf16 when the outputs have the types that they have.
  bool reads(const Node& n, std::size_t i) const {
    if (std::holds_alternative<Eager>(n.work) || std::holds_alternative<Copy>(n.work) || std::holds_alternative<Compute>(n.work))
      return false;
    if (std::holds_alternative<View>(n.work)) return g_.value(n.outputs[0]).type == DType::bf16;
    if (std::holds_alternative<Convolve>(n.work))
      return narrow(n) && (i == 0 || (i == 3 && g_.value(n.outputs[0]).type == DType::bf16));
    const bool sweep = std::holds_alternative<Sweep>(n.work), statistics = std::holds_alternative<ChannelStatistics>(n.work) ||
                                                                           std::holds_alternative<GlobalStatistics>(n.work) ||
                                                                           std::holds_alternative<LineStatistics>(n.work);
    if (!sweep && !statistics && !std::holds_alternative<Window>(n.work)) return false;
    return i == 0 ? !sweep || g_.shape(n.inputs[0]) == g_.shape(n.outputs[0])
                  : g_.shape(n.inputs[i]) == g_.shape(sweep ? n.outputs[0] : n.inputs[0]);
  }

  bool writes(const Node& n) const {
    if (std::holds_alternative<View>(n.work)) return g_.value(n.inputs[0]).type == DType::bf16;
    return std::holds_alternative<Sweep>(n.work) || std::holds_alternative<Window>(n.work) || narrow(n);
  }

  // From the last node to the first: bf16 for what a reader takes so. Then from the first to the last: f32 where the producer cannot.
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
    // A view has the type of what it views.
    for (const Node& n : g_.nodes)
      if (std::holds_alternative<View>(n.work)) g_.value(n.outputs[0]).type = g_.value(n.inputs[0]).type;
  }

  // Convolutions that oneDNN computes slowly in bf16 stay f32. Whether there was one.
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
    std::map<Id, Id> converted;  // a value has two types at most
    for (const Node& n : g_.nodes) {
      Node changed = n;
      for (std::size_t i = 0; i < n.inputs.size(); ++i) {
        const Id id = n.inputs[i];
        if (g_.constant(id)) continue;
        const DType type = wanted(n, i);
        if (type == g_.value(id).type) continue;
        if (const auto it = converted.find(id); it == converted.end()) {
          const Id copy = g_.add(g_.shape(id));
          g_.value(copy).type = type, g_.value(copy).rows = g_.value(id).rows;
          all.push_back({Sweep{}, {id}, {copy}, n.path, {type == DType::bf16 ? "to bf16" : "to f32"}});
          converted[id] = copy;
        }
        changed.inputs[i] = converted[id];
      }
      all.push_back(std::move(changed));
    }
    g_.nodes = std::move(all);
  }

  Mutable& g_;
  std::vector<bool> refused_;
};

}  // namespace

void assign_precision(Mutable& g) { Assignment(g).run(); }

}  // namespace fovea::plan
