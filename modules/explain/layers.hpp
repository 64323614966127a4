// The layers of a network that can be looked at: its taps, what kind of value each holds, and where its positions lie on the input.
#pragma once

#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "modules/autograd/var.hpp"
#include "modules/core/named.hpp"
#include "modules/explain/grid.hpp"

namespace fovea::explain {

// A network that is explained. `forward` records on the tape; what needs no gradients asks for `values`, which a compiled plan may give.
class ForwardFunction {
 public:
  using Forward = std::function<Named<Var>(const Var&)>;
  struct Values {
    NamedTensors outputs;
    std::vector<std::pair<std::string, Tensor>> taps;  // that match a glob, in order of computation
  };
  using Run = std::function<Values(const Tensor& x, const std::string& keep)>;

  template <class F>
  requires std::is_invocable_r_v<Var, F&, const Var&> ForwardFunction(F forward)  // of one output
      : ForwardFunction(
            [forward = std::move(forward)](const Var& x) {
              return Named<Var>{{"output", forward(x)}};
            },
            Run()) {}
  ForwardFunction(Forward forward, Run run);  // `run` may be empty: then without a tape, op by op

  Named<Var> operator()(const Var& x) const { return forward_(x); }
  Values values(const Tensor& x, const std::string& keep = {}) const { return run_(x, keep); }

 private:
  Forward forward_;
  Run run_;
};

enum class LayerKind : std::uint8_t {
  map,        // N x C x H x W
  spatial,    // a gate of positions, N x 1 x H x W, or with more channels when it is called spatial, gate, height or width
  channel,    // a gate of channels, N x C x 1 x 1 (or N x C called "channel")
  attention,  // N x heads x queries x keys, queries being all positions behind an optional prefix of tokens without one
  received,   // N x heads x 1 x keys with that name: the mean over the queries already
  windows,    // the same inside windows: (N windows) x heads x positions x positions
  tokens,     // N x (prefix + positions) x C
  other
};
const char* name_of(LayerKind kind);

struct Layer {
  std::string name;  // a tap's full name; a second value of that name is called "name#2"
  Shape shape;
  LayerKind kind = LayerKind::other;
  Grid grid;                // of the positions; for attention of the keys
  std::int64_t prefix = 0;  // tokens in front that have no position (a class token)
};

// All of them in order of computation, found by tracing shapes, so that it costs no arithmetic; grids follow from strides and
// paddings. A network that cannot be traced is run once, and its grids are even ones.
std::vector<Layer> layers_of(const ForwardFunction& network, const Shape& input);

// Those whose name matches and whose kind is one of `kinds`. Error that says what there is and what comes nearest when nothing does.
std::vector<Layer> choose_layers(const std::vector<Layer>& layers, const std::string& glob, const std::vector<LayerKind>& kinds,
                                 const std::string& method);

// The deepest map with positions: where class activation maps are usually taken. One that is called as one of the network's `outputs` is its answer, and
// counts only where there is no other. Error when there is none.
std::string deepest_map(const std::vector<Layer>& layers, const std::vector<std::string>& outputs = {});

// The value of a layer that was kept, by name and occurrence; index into `kept`. Error when the network did not compute it this time.
std::size_t find_name(const std::vector<std::string>& kept, const std::string& layer);
template <class T>
const T& find_kept(const std::vector<std::pair<std::string, T>>& kept, const std::string& layer) {
  std::vector<std::string> names;
  for (const auto& [name, value] : kept) names.push_back(name);
  return kept[find_name(names, layer)].second;
}
// A glob for TapScope that keeps these layers.
std::string glob_of(const std::vector<Layer>& layers);

}  // namespace fovea::explain
