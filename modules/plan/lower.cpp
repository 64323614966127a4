#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <concepts>

#include "modules/plan/convolution.hpp"
#include "modules/plan/view_lowering.hpp"

namespace fovea::plan {
namespace {

// At most one axis has more than one element, so that all layouts are the same memory.
bool one_axis(const Shape& s) {
  return std::count_if(s.begin(), s.end(), [](std::int64_t d) { return d > 1; }) <= 1;
}

bool map(const Shape& s) { return s.rank() == 4 && s.elements() > 0; }

// Whether a row kernel can broadcast the value over one of shape `full`: a shape of lower rank is aligned at the last axis, which is the
// innermost in memory only for constants, which are laid out for it, and for values of one axis.
bool can_broadcast(const Graph& g, Id id, const Shape& full) {
  const Shape& s = g.shape(id);
  return s.rank() <= full.rank() && (s.rank() == full.rank() || g.constant(id) || one_axis(s));
}

class Lowerer {
 public:
  explicit Lowerer(Graph& g) : g_(g), views_(g) {}

  void run() {
    std::vector<Node> nodes;
    for (Node& n : g_.nodes) {
      const auto* eager = std::get_if<Eager>(&n.work);
      const Lowering role = eager ? eager->op->lower() : Lowering{};
      if (const auto* split = std::get_if<role::Split>(&role)) {
        auto parts = views_.lower(n, *split);
        for (Node& part : parts) add(nodes, std::move(part));
        if (!parts.empty()) continue;
      }
      if (!any_layout(role))
        for (Id& id : n.inputs) id = views_.channels_last(id, nodes);
      std::optional<Work> work = std::visit([&](const auto& r) { return lowered(n, r); }, role);
      if (!work) work = row_major(n, role, nodes);
      if (work) n.work = std::move(*work);
      add(nodes, std::move(n));
    }
    g_.nodes = std::move(nodes);
  }

 private:
  const Shape& in(const Node& n, std::size_t i) const { return g_.shape(n.inputs[i]); }
  bool planned(const Node& n, std::size_t i) const { return !g_.constant(n.inputs[i]) && g_.value(n.inputs[i]).planned; }

  std::optional<Work> lowered(Node&, std::monostate) { return std::nullopt; }

  std::optional<Work> lowered(Node& n, const role::Convolution& r) {
    if (!map(in(n, 0)) || g_.constant(n.inputs[0]) || !g_.constant(n.inputs[1]) || !g_.constant(n.inputs[2])) return std::nullopt;
    if (n.inputs[3] >= 0 && g_.constant(n.inputs[3])) return std::nullopt;
    Convolve c{.options = r.options, .after = r.after};
    if (views_.single_output_conv(n, c)) return c;
    return fast(n, std::move(c));
  }

  // Nothing where oneDNN has only a slow kernel: then the op's own forward runs.
  std::optional<Work> fast(const Node& n, Convolve c) const {
    if (!dnn::PreparedConv::make(bare_convolution(g_, n, c))) return std::nullopt;
    return c;
  }

  // The last axis of x must be the innermost in memory.
  std::optional<Work> lowered(Node& n, const role::Linear&) {
    const bool constants = g_.constant(n.inputs[1]) && g_.constant(n.inputs[2]), row_major = g_.value(n.inputs[0]).row_major;
    const int rank = in(n, 0).rank();
    if (g_.constant(n.inputs[0]) || !constants || rank < 2 || (rank > 3 && !row_major) || in(n, 0).elements() == 0)
      return std::nullopt;
    if (n.inputs.size() == 3) n.inputs.push_back(-1);  // no residual
    auto work = fast(n, {.options = {}, .linear = true});
    if (work) g_.value(n.outputs[0]).row_major = row_major;
    return work;
  }

  std::optional<Work> lowered(Node& n, const role::Affine& r) {
    const Shape x = in(n, 0);
    if ((!map(x) && x.rank() != 2) || g_.constant(n.inputs[0]) || !g_.constant(n.inputs[1]) || !g_.constant(n.inputs[2]))
      return std::nullopt;
    if (x.rank() == 2 && !planned(n, 0)) return std::nullopt;
    const std::vector<Id> from{n.inputs[1], n.inputs[2], g_.add_source(r.mean), g_.add_source(r.variance)};
    const Shape channels{x[1]};
    const double eps = r.eps;
    const Id scale = g_.add_constant(
        channels, from, [eps](const Tensors& t) { return scale_or_shift(t, eps, true); }, fmt::format("scale{}", eps));
    const Id shift = g_.add_constant(
        channels, from, [eps](const Tensors& t) { return scale_or_shift(t, eps, false); }, fmt::format("shift{}", eps));
    n.inputs = {n.inputs[0], scale, shift};
    return FusedElementwise{{ElementwiseOp{.kind = ElementwiseOp::Kind::affine, .operand = 1, .shift = 2}}};
  }

  // The norm is x * scale + shift for each channel; this is one of the two, in f64. t: weight, bias, mean, variance.
  static Tensor scale_or_shift(const Tensors& t, double eps, bool scale) {
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
    if (!planned(n, 0) || in(n, 0).elements() == 0) return std::nullopt;
    return FusedElementwise{{ElementwiseOp{.kind = ElementwiseOp::Kind::pointwise, .pointwise = r}}};
  }

  std::optional<Work> lowered(Node& n, const role::Binary& r) {
    const Shape& full = g_.shape(n.outputs[0]);
    if (full.elements() == 0) return std::nullopt;
    ElementwiseOp op{.kind = ElementwiseOp::Kind::binary, .binary = r, .operand = 1};
    for (const bool swap : {false, true}) {
      const std::size_t x = swap ? 1 : 0, other = 1 - x;
      if (in(n, x) != full || !planned(n, x) || !can_broadcast(g_, n.inputs[other], full)) continue;
      if (swap) std::swap(n.inputs[0], n.inputs[1]), std::swap(op.binary.row, op.binary.swapped);
      return FusedElementwise{{op}};
    }
    // A value for each channel with one for each position, or with a parameter: neither has the result's shape, so one is broadcast first.
    const std::size_t x = planned(n, 0) ? 0 : 1, other = 1 - x;
    const bool available = planned(n, x) && (planned(n, other) || g_.constant(n.inputs[other]));
    if (!available || !can_broadcast(g_, n.inputs[0], full) || !can_broadcast(g_, n.inputs[1], full)) return std::nullopt;
    if (x == 1) std::swap(n.inputs[0], n.inputs[1]), std::swap(op.binary.row, op.binary.swapped);
    return FusedElementwise{{ElementwiseOp{.kind = ElementwiseOp::Kind::broadcast, .operand = 0}, op}};
  }

  std::optional<Work> lowered(Node& n, const role::GlobalPool& r) {
    if (!map(in(n, 0)) || g_.constant(n.inputs[0])) return std::nullopt;
    n.outputs = {r.maximum ? -1 : n.outputs[0], r.maximum ? n.outputs[0] : -1};
    return GlobalReduce{};
  }

  std::optional<Work> channel_reduce(const Node& n, const role::ReducedAxis& r) const {
    if (!map(in(n, 0)) || g_.constant(n.inputs[0])) return std::nullopt;
    return ChannelReduce{r.mean_first, {}};
  }

  std::optional<Work> lowered(Node& n, const role::AxisReduce& r) {
    if (r.reduced.axis == 1) return channel_reduce(n, r.reduced);
    if (map(in(n, 0)) && planned(n, 0) && !g_.value(n.inputs[0]).row_major && g_.shape(n.outputs[0]).rank() == 4)
      return AxisReduce{{r.reduced}};
    if (!r.otherwise.bind) return std::nullopt;
    return lowered(n, r.otherwise);
  }

  std::optional<Work> lowered(Node& n, const role::Pool2d& r) {
    if (!map(in(n, 0)) || g_.constant(n.inputs[0])) return std::nullopt;
    return Pool2d{r};
  }

  std::optional<Work> lowered(Node&, const role::Split&) { return std::nullopt; }
  template <class Role>
  static constexpr bool kView = requires(ViewLowering m, Node n, Role r) {
    { m.lower(n, r) } -> std::same_as<bool>;
  };
  // Whether an op takes rank-4 inputs that are row-major: views, computations, and roles whose lowering looks at the layout itself.
  static bool any_layout(const Lowering& role) {
    if (const auto* r = std::get_if<role::AxisReduce>(&role)) return r->reduced.axis != 1;
    const bool view = std::visit([]<class Role>(const Role&) { return kView<Role>; }, role);
    return view || std::holds_alternative<std::monostate>(role) || std::holds_alternative<role::Linear>(role);
  }
  template <class Role>
  requires kView<Role> std::optional<Work> lowered(Node& n, const Role& r) {
    if (!views_.lower(n, r)) return std::nullopt;
    return std::move(n.work);
  }

  // A layer or a computation that takes its rank-4 inputs row-major only: on copies of them.
  std::optional<Work> row_major(Node& n, const Lowering& role, std::vector<Node>& nodes) {
    const auto* computation = std::get_if<role::Computation>(&role);
    const auto* layer = std::get_if<role::Linear>(&role);
    if (!computation && !layer) return std::nullopt;
    Node other = n;
    for (Id& id : other.inputs) id = views_.row_major(id, nodes);
    if (other.inputs == n.inputs) return std::nullopt;
    std::optional<Work> work;
    if (layer) work = lowered(other, *layer);
    else {
      role::Computation on_copies = *computation;
      on_copies.any_strides = false;  // else it would be bound to the memory below the copies
      work = lowered(other, on_copies);
    }
    if (work) n = std::move(other);
    return work;
  }

  void add(std::vector<Node>& nodes, Node n) {
    if (!std::holds_alternative<Eager>(n.work))
      for (const Id id : n.outputs)
        if (id >= 0) g_.value(id).planned = true;
    nodes.push_back(std::move(n));
  }

  Graph& g_;
  ViewLowering views_;
};

}  // namespace

void lower(Graph& g) { Lowerer(g).run(); }

}  // namespace fovea::plan
