#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <concepts>

#include "modules/plan/convolution.hpp"
#include "modules/plan/moves.hpp"

namespace fovea::plan {
namespace {

// At most one axis with more than one element: then any layout is the same memory.
bool one_axis(const Shape& s) {
  return std::count_if(s.begin(), s.end(), [](std::int64_t d) { return d > 1; }) <= 1;
}

bool map(const Shape& s) { return s.rank() == 4 && s.elements() > 0; }

// Whether a value of shape `s` can be spread over a value of shape `full` by a row kernel.
bool spreads(const Mutable& g, Id id, const Shape& full) {
  const Shape& s = g.shape(id);
  return s.rank() <= full.rank() && (s.rank() == full.rank() || g.constant(id) || one_axis(s));
}

class Lowerer {
 public:
  explicit Lowerer(Mutable& g) : g_(g), moves_(g) {}

  void run() {
    std::vector<Node> nodes;
    for (Node& n : g_.nodes) {
      const auto* eager = std::get_if<Eager>(&n.work);
      const Lowering role = eager ? eager->op->lower() : Lowering{};
      if (const auto* split = std::get_if<role::Split>(&role)) {
        auto parts = moves_.lower(n, *split);
        for (Node& part : parts) add(nodes, std::move(part));
        if (!parts.empty()) continue;
      }
      if (!any_layout(role))
        for (Id& id : n.inputs) id = moves_.dense(id, nodes);
      std::optional<Work> work = std::visit([&](const auto& r) { return lowered(n, r); }, role);
      if (!work) work = by_rows(n, role, nodes);
      if (work) n.work = std::move(*work);
      add(nodes, std::move(n));
    }
    g_.nodes = std::move(nodes);
  }

 private:
  const Shape& in(const Node& n, std::size_t i) const { return g_.shape(n.inputs[i]); }
  bool known(const Node& n, std::size_t i) const { return !g_.constant(n.inputs[i]) && g_.value(n.inputs[i]).known; }

  std::optional<Work> lowered(Node&, std::monostate) { return std::nullopt; }

  std::optional<Work> lowered(Node& n, const role::Convolution& r) {
    if (!map(in(n, 0)) || g_.constant(n.inputs[0]) || !g_.constant(n.inputs[1]) || !g_.constant(n.inputs[2])) return std::nullopt;
    if (n.inputs[3] >= 0 && g_.constant(n.inputs[3])) return std::nullopt;
    Convolve c{.options = r.options, .after = r.after};
    if (moves_.few_planes(n, c)) return c;
    return computed(n, std::move(c));
  }

  // What oneDNN computes slowly, bare as it is, keeps its own kernels.
  std::optional<Work> computed(const Node& n, Convolve c) const {
    if (!dnn::PreparedConv::make(bare_convolution(g_, n, c))) return std::nullopt;
    return c;
  }

  // Over the last axis, which must lie innermost.
  std::optional<Work> lowered(Node& n, const role::Dense&) {
    const bool constants = g_.constant(n.inputs[1]) && g_.constant(n.inputs[2]), rows = g_.value(n.inputs[0]).rows;
    const int rank = in(n, 0).rank();
    if (g_.constant(n.inputs[0]) || !constants || rank < 2 || (rank > 3 && !rows) || in(n, 0).elements() == 0)
      return std::nullopt;
    if (n.inputs.size() == 3) n.inputs.push_back(-1);  // no residual
    auto work = computed(n, {.options = {}, .dense = true});
    if (work) g_.value(n.outputs[0]).rows = rows;
    return work;
  }

  std::optional<Work> lowered(Node& n, const role::Affine& r) {
    const Shape x = in(n, 0);
    if ((!map(x) && x.rank() != 2) || g_.constant(n.inputs[0]) || !g_.constant(n.inputs[1]) || !g_.constant(n.inputs[2]))
      return std::nullopt;
    if (x.rank() == 2 && !known(n, 0)) return std::nullopt;
    const std::vector<Id> from{n.inputs[1], n.inputs[2], g_.add_source(r.mean), g_.add_source(r.variance)};
    const Shape channels{x[1]};
    const double eps = r.eps;
    const Id scale = g_.add_constant(
        channels, from, [eps](const Tensors& t) { return line(t, eps, true); }, fmt::format("scale{}", eps));
    const Id shift = g_.add_constant(
        channels, from, [eps](const Tensors& t) { return line(t, eps, false); }, fmt::format("shift{}", eps));
    n.inputs = {n.inputs[0], scale, shift};
    return Sweep{{Link{.kind = Link::Kind::affine, .operand = 1, .shift = 2}}};
  }

  // Scale or shift of a norm with fixed statistics, in f64. t: weight, bias, mean, variance.
  static Tensor line(const Tensors& t, double eps, bool scale) {
    const auto mean = t[2].values(), variance = t[3].values();
    std::vector<double> weight(mean.size(), 1), out(mean.size(), 0);
    if (t[0].defined()) weight = t[0].values();
    if (t[1].defined()) out = t[1].values();
    for (std::size_t c = 0; c < mean.size(); ++c) {
      const double factor = weight[c] / std::sqrt(variance[c] + eps);
      out[c] = scale ? factor : out[c] - mean[c] * factor;
    }
    return Tensor::from(out, {static_cast<std::int64_t>(out.size())});
  }

  std::optional<Work> lowered(Node& n, const role::Pointwise& r) {
    if (!known(n, 0) || in(n, 0).elements() == 0) return std::nullopt;
    return Sweep{{Link{.kind = Link::Kind::pointwise, .pointwise = r}}};
  }

  std::optional<Work> lowered(Node& n, const role::Binary& r) {
    const Shape& full = g_.shape(n.outputs[0]);
    if (full.elements() == 0) return std::nullopt;
    Link link{.kind = Link::Kind::binary, .binary = r, .operand = 1};
    for (const bool swap : {false, true}) {
      const std::size_t x = swap ? 1 : 0, other = 1 - x;
      if (in(n, x) != full || !known(n, x) || !spreads(g_, n.inputs[other], full)) continue;
      if (swap) std::swap(n.inputs[0], n.inputs[1]), std::swap(link.binary.row, link.binary.swapped);
      return Sweep{{link}};
    }
    // A channel's value with a position's, or with a parameter: no value has the result's shape, so one is spread first.
    const std::size_t x = known(n, 0) ? 0 : 1, other = 1 - x;
    const bool there = known(n, x) && (known(n, other) || g_.constant(n.inputs[other]));
    if (!there || !spreads(g_, n.inputs[0], full) || !spreads(g_, n.inputs[1], full)) return std::nullopt;
    if (x == 1) std::swap(n.inputs[0], n.inputs[1]), std::swap(link.binary.row, link.binary.swapped);
    return Sweep{{Link{.kind = Link::Kind::spread, .operand = 0}, link}};
  }

  std::optional<Work> lowered(Node& n, const role::GlobalStatistic& r) {
    if (!map(in(n, 0)) || g_.constant(n.inputs[0])) return std::nullopt;
    n.outputs = {r.maximum ? -1 : n.outputs[0], r.maximum ? n.outputs[0] : -1};
    return GlobalStatistics{};
  }

  std::optional<Work> lowered(Node& n, const role::ChannelStatistics& r) {
    if (!map(in(n, 0)) || g_.constant(n.inputs[0])) return std::nullopt;
    return ChannelStatistics{r.mean_first, {}};
  }

  std::optional<Work> lowered(Node& n, const role::LineStatistic& r) {
    const bool as_map = map(in(n, 0)) && known(n, 0) && !g_.value(n.inputs[0]).rows && g_.shape(n.outputs[0]).rank() == 4;
    if (as_map) return LineStatistics{{r.line}};
    if (!r.otherwise.bind) return std::nullopt;
    return lowered(n, r.otherwise);
  }

  std::optional<Work> lowered(Node& n, const role::Pool& r) {
    if (!map(in(n, 0)) || g_.constant(n.inputs[0])) return std::nullopt;
    return Window{r};
  }

  std::optional<Work> lowered(Node&, const role::Split&) { return std::nullopt; }
  template <class Role>
  static constexpr bool kMoved = requires(Moves m, Node n, Role r) {
    { m.lower(n, r) } -> std::same_as<bool>;
  };
  static bool moved(const Lowering& role) {
    return std::visit([]<class Role>(const Role&) { return kMoved<Role>; }, role);
  }
  // Whether an op takes other layouts than the plan's: moves, computations, and what looks at the layout itself.
  static bool any_layout(const Lowering& role) {
    return moved(role) || std::holds_alternative<std::monostate>(role) || std::holds_alternative<role::LineStatistic>(role) ||
           std::holds_alternative<role::Dense>(role);
  }
  template <class Role>
  requires kMoved<Role> std::optional<Work> lowered(Node& n, const Role& r) {
    if (!moves_.lower(n, r)) return std::nullopt;
    return std::move(n.work);
  }

  // A layer or a computation that the plan's layout of maps does not suit.
  std::optional<Work> by_rows(Node& n, const Lowering& role, std::vector<Node>& nodes) {
    const auto* computation = std::get_if<role::Computation>(&role);
    const auto* layer = std::get_if<role::Dense>(&role);
    if (!computation && !layer) return std::nullopt;
    Node other = n;
    for (Id& id : other.inputs) id = moves_.by_rows(id, nodes);
    if (other.inputs == n.inputs) return std::nullopt;
    std::optional<Work> work;
    if (layer) work = lowered(other, *layer);
    else {
      role::Computation as_it_lies = *computation;
      as_it_lies.any_strides = false;  // else it would look through the copy
      work = lowered(other, as_it_lies);
    }
    if (work) n = std::move(other);
    return work;
  }

  void add(std::vector<Node>& nodes, Node n) {
    if (!std::holds_alternative<Eager>(n.work))
      for (const Id id : n.outputs)
        if (id >= 0) g_.value(id).known = true;
    nodes.push_back(std::move(n));
  }

  Mutable& g_;
  Moves moves_;
};

}  // namespace

void lower(Mutable& g) { Lowerer(g).run(); }

}  // namespace fovea::plan
