#include "modules/explain/trace_grids.hpp"

#include "modules/autograd/apply.hpp"
#include "modules/autograd/tap.hpp"

namespace fovea::explain {
namespace {

using Grids = std::vector<std::optional<Grid>>;

bool lies_on(const Shape& s, const Grid& g) { return s.rank() == 4 && s[2] == g.height && s[3] == g.width; }

Grid moved(const Grid& g, const Placement& p, const Shape& out) {
  return {out[2],
          out[3],
          g.start_y + p.offset[0] * g.stride_y,
          g.start_x + p.offset[1] * g.stride_x,
          g.stride_y * p.step[0],
          g.stride_x * p.step[1],
          g.exact};
}

// The input that an output's raster comes from: one that lies as the output does, else the first that has any.
int source_of(const TraceNode& node, const Trace& graph, const Grids& grids, const Shape& out) {
  int first = -1;
  for (const int i : node.inputs) {
    if (i < 0 || static_cast<std::size_t>(i) >= grids.size() || !grids[static_cast<std::size_t>(i)]) continue;
    if (first < 0) first = i;
    const Grid& g = *grids[static_cast<std::size_t>(i)];
    if (lies_on(out, g) && lies_on(graph.values[static_cast<std::size_t>(i)].shape, g)) return i;
  }
  return first;
}

std::optional<Grid> grid_of(const TraceNode& node, const Trace& graph, const Grids& grids, const Shape& out) {
  Shapes in;
  for (const int i : node.inputs) in.push_back(i < 0 ? Shape{} : graph.values[static_cast<std::size_t>(i)].shape);
  const auto placement = node.op->placement(in, {out});
  const int source = placement && !node.inputs.empty() ? node.inputs[0] : source_of(node, graph, grids, out);
  if (source < 0 || !grids[static_cast<std::size_t>(source)]) return std::nullopt;
  const Grid& g = *grids[static_cast<std::size_t>(source)];
  const bool positions = out.rank() == 4 && lies_on(graph.values[static_cast<std::size_t>(source)].shape, g);
  return placement && positions ? moved(g, *placement, out) : g;
}

Grids follow(const Trace& graph, const Shape& input) {
  Grids grids(graph.values.size());
  for (const int i : graph.inputs) grids[static_cast<std::size_t>(i)] = pixel_grid(input[2], input[3]);
  for (const TraceNode& node : graph.nodes)
    for (const int o : node.outputs)
      grids[static_cast<std::size_t>(o)] = grid_of(node, graph, grids, graph.values[static_cast<std::size_t>(o)].shape);
  return grids;
}

std::vector<TracedTap> by_running(const ForwardFunction& network, const Shape& input) {
  std::vector<TracedTap> out;
  for (const auto& [name, value] : network.values(Tensor::zeros(input, DType::f32, Layout::channels_last), "**").taps)
    out.push_back({name, value.shape(), std::nullopt});
  return out;
}

}  // namespace

std::vector<TracedTap> traced_taps(const ForwardFunction& network, const Shape& input) {
  TapScope taps("**");
  Trace graph;
  try {
    graph = trace({input}, [&](const Vars& in) {
      Vars out;
      for (const auto& [name, v] : network(in[0])) out.push_back(v);
      return out;
    });
  } catch (const Error&) {
    return by_running(network, input);  // reads values on its way; if something else is wrong, this says so
  }
  const Grids grids = follow(graph, input);
  std::vector<TracedTap> out;
  for (const auto& [name, value] : taps.kept) {
    const int index = value.state()->trace_value;
    out.push_back({name, value.shape(), index >= 0 ? grids[static_cast<std::size_t>(index)] : std::nullopt});
  }
  return out;
}

}  // namespace fovea::explain
