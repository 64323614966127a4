#include "modules/explain/layers.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "modules/autograd/apply.hpp"
#include "modules/autograd/tap.hpp"
#include "modules/explain/trace_grids.hpp"
#include "modules/nn/args.hpp"

namespace fovea::explain {
namespace {

constexpr std::size_t kListed = 30;      // names in a message before the rest is counted
constexpr std::int64_t kMostPrefix = 5;  // class and distillation tokens, or class and four registers

std::int64_t root_of(std::int64_t square) {
  const auto r = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(square))));
  return r * r == square ? r : 0;
}

// Keys taken from a coarser raster (spatial reduction): the factor by which both sides shrank, 0 when there is none.
std::int64_t reduction(const Grid& g, std::int64_t keys) {
  if (keys <= 0 || g.cells() % keys != 0) return 0;
  const std::int64_t r = root_of(g.cells() / keys);
  return r > 0 && g.height % r == 0 && g.width % r == 0 ? r : 0;
}

Grid coarser(const Grid& g, std::int64_t r) {
  const auto f = static_cast<double>(r), middle = (f - 1) / 2;
  return {g.height / r,   g.width / r, g.start_y + middle * g.stride_y, g.start_x + middle * g.stride_x, g.stride_y * f,
          g.stride_x * f, g.exact};
}

bool called(const std::string& name, const char* last) {
  const auto dot = name.rfind('.');
  return name.compare(dot == std::string::npos ? 0 : dot + 1, std::string::npos, last) == 0;
}

// queries x keys over the raster, or over windows of it.
bool classify_attention(Layer& l, std::int64_t batch, std::int64_t queries, std::int64_t keys) {
  const std::int64_t positions = l.grid.cells();

  if (l.shape[0] == batch && queries >= positions && queries - positions <= kMostPrefix && queries == keys) {
    l.prefix = queries - positions;
    l.kind = LayerKind::attention;
  } else if (l.shape[0] == batch && queries == positions && reduction(l.grid, keys) > 0) {
    l.grid = coarser(l.grid, reduction(l.grid, keys));
    l.kind = LayerKind::attention;
  } else if (l.shape[0] == batch && queries == 1 && called(l.name, "received") && keys == positions) {
    l.kind = LayerKind::received;
  } else if (l.shape[0] > batch && queries == keys && l.shape[0] % batch == 0) {
    l.kind = LayerKind::windows;
  }
  return l.kind != LayerKind::other;
}

void classify_map(Layer& l, const Grid& input) {
  const Shape& s = l.shape;
  if (s[2] != l.grid.height || s[3] != l.grid.width) l.grid = even_grid(s[2], s[3], input.height, input.width);
  const bool gate =
      s[1] == 1 || called(l.name, "spatial") || called(l.name, "gate") || called(l.name, "height") || called(l.name, "width");
  l.kind = gate ? LayerKind::spatial : LayerKind::map;
}

void classify(Layer& l, std::int64_t batch, const Grid& input) {
  const Shape& s = l.shape;
  const bool on_grid = s.rank() == 4 && s[2] == l.grid.height && s[3] == l.grid.width;
  const bool matrix = (called(l.name, "attention") || !on_grid) && s.rank() >= 3 && s[s.rank() - 1] > 1;
  if ((s.rank() == 4 && s[2] == 1 && s[3] == 1 && s[1] > 1) || (s.rank() == 2 && called(l.name, "channel")))
    l.kind = LayerKind::channel;
  else if (matrix && (s.rank() == 4 || called(l.name, "attention")) &&
           classify_attention(l, batch, s[s.rank() - 2], s[s.rank() - 1]))
    return;
  else if (s.rank() == 4 && s[0] == batch) classify_map(l, input);
  else if (s.rank() == 3 && s[0] == batch && s[1] >= l.grid.cells() && s[1] - l.grid.cells() <= kMostPrefix)
    l.kind = LayerKind::tokens, l.prefix = s[1] - l.grid.cells();
}

std::string listed(const std::vector<std::string>& names) {
  std::string all;
  for (std::size_t i = 0; i < names.size() && i < kListed; ++i) all += (i ? ", " : "") + names[i];
  if (names.size() > kListed) all += ", ... (" + std::to_string(names.size()) + ")";
  return all.empty() ? "none" : all;
}

}  // namespace

ForwardFunction::ForwardFunction(Forward forward, Run run) : forward_(std::move(forward)), run_(std::move(run)) {
  if (run_) return;
  run_ = [forward = forward_](const Tensor& x, const std::string& keep) {
    NoGrad no_grad;
    TapScope scope(keep);
    Values out;
    for (const auto& [name, v] : forward(Var(x))) out.outputs.add(name, v.value());
    for (const auto& [name, value] : scope.kept) out.taps.emplace_back(name, value.value());
    return out;
  };
}

const char* name_of(LayerKind kind) {
  switch (kind) {
    case LayerKind::map: return "map";
    case LayerKind::spatial: return "spatial gate";
    case LayerKind::channel: return "channel gate";
    case LayerKind::attention: return "attention";
    case LayerKind::received: return "attention received";
    case LayerKind::windows: return "attention in windows";
    case LayerKind::tokens: return "tokens";
    case LayerKind::other: return "other";
  }
  return "other";
}

std::vector<Layer> layers_of(const ForwardFunction& network, const Shape& input) {
  check(input.rank() == 4 && input[0] > 0, "explain: expected an input N x C x H x W, got ", input);
  const Grid pixels = pixel_grid(input[2], input[3]);
  std::vector<Layer> layers;
  std::map<std::string, int> seen;
  for (TracedTap& t : traced_taps(network, input)) {
    Layer l{t.name, t.shape, LayerKind::other, t.grid.value_or(pixels), 0};
    const int count = ++seen[t.name];
    classify(l, input[0], pixels);
    if (count > 1) l.name += "#" + std::to_string(count);
    layers.push_back(std::move(l));
  }
  return layers;
}

std::vector<Layer> choose_layers(const std::vector<Layer>& layers, const std::string& glob, const std::vector<LayerKind>& kinds,
                                 const std::string& method) {
  std::vector<Layer> chosen;
  std::vector<std::string> fitting;
  const Layer* other = nullptr;
  for (const Layer& l : layers) {
    const bool fits = std::find(kinds.begin(), kinds.end(), l.kind) != kinds.end(), named = glob_match(glob, l.name);
    if (fits) fitting.push_back(l.name);
    if (fits && named) chosen.push_back(l);
    if (named && !fits) other = &l;
  }
  if (!chosen.empty()) return chosen;
  check(!fitting.empty(), "explain: this network has no layer that ", method, " can use");
  if (other)
    fail("explain: ", method, " cannot use the layer ", other->name, " (", name_of(other->kind), ", ", other->shape,
         "); it can use ", listed(fitting));
  const std::string near = nearest(glob, fitting);
  fail("explain: no layer is called '", glob, "'", near.empty() ? "" : "; did you mean '" + near + "'?", "; ", method,
       " can use ", listed(fitting));
}

std::string deepest_map(const std::vector<Layer>& layers, const std::vector<std::string>& outputs) {
  const Layer* answer = nullptr;
  for (auto l = layers.rbegin(); l != layers.rend(); ++l) {
    if ((l->kind != LayerKind::map || l->grid.cells() <= 1) && l->kind != LayerKind::tokens) continue;
    const bool output = std::any_of(outputs.begin(), outputs.end(), [&](const auto& o) { return called(l->name, o.c_str()); });
    if (!output) return l->name;
    if (!answer) answer = &*l;
  }
  check(answer != nullptr, "explain: this network has no layer that holds a map with positions");
  return answer->name;
}

std::size_t find_name(const std::vector<std::string>& kept, const std::string& layer) {
  const auto hash = layer.rfind('#');
  const std::string name = layer.substr(0, hash);
  int left = hash == std::string::npos ? 1 : std::stoi(layer.substr(hash + 1));
  for (std::size_t i = 0; i < kept.size(); ++i)
    if (kept[i] == name && --left == 0) return i;
  fail("explain: the network did not compute the layer ", layer);
}

std::string glob_of(const std::vector<Layer>& layers) {
  std::string all;
  for (const Layer& l : layers) all += (all.empty() ? "{" : ",") + l.name.substr(0, l.name.rfind('#'));
  return all.empty() ? "" : all + "}";
}

}  // namespace fovea::explain
