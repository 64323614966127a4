#include "modules/network_shapes.hpp"

#include <algorithm>
#include <new>
#include <stdexcept>

#include "modules/core/budget.hpp"

namespace fovea {
namespace {

constexpr std::size_t kMostSteps = 20000;  // ResNet-152 has some 500; compiling takes the square of it

// Ops whose result lies where their input does.
bool is_view(const TraceNode& n) {
  constexpr std::string_view kViews[] = {"reshape", "permute", "slice", "expand"};
  return n.outputs.size() == 1 && std::find(std::begin(kViews), std::end(kViews), n.op->name()) != std::end(kViews);
}

// Memory that runs out while counting is more than the budget, whoever noticed.
template <class F>
auto counted(const F& f) {
  const ShapeBudget budget(memory_limit());
  try {
    return f();
  } catch (const std::bad_alloc&) {
    throw OverBudget("the network takes more memory than there is");
  } catch (const std::length_error&) { throw OverBudget("the network takes more memory than there can be"); }
}

std::int64_t size_of_backbone(const Yaml& model) {
  if (!model.has("backbone")) return 0;
  Args args = model.at("backbone").args();
  return args.has("size") ? args.get("size", 0, "of the pictures") : 0;
}

}  // namespace

std::uint64_t peak_bytes(const Trace& t) {
  const std::size_t count = t.values.size();
  std::vector<int> root(count), last(count, -1);
  for (std::size_t i = 0; i < count; ++i) root[i] = static_cast<int>(i);
  const auto of = [&](int id) { return static_cast<std::size_t>(root[static_cast<std::size_t>(id)]); };
  for (std::size_t n = 0; n < t.nodes.size(); ++n) {
    const TraceNode& node = t.nodes[n];
    if (is_view(node) && node.inputs[0] >= 0)
      root[static_cast<std::size_t>(node.outputs[0])] = static_cast<int>(of(node.inputs[0]));
    for (const auto* ids : {&node.inputs, &node.outputs})
      for (const int id : *ids)
        if (id >= 0) last[of(id)] = static_cast<int>(n);
  }
  const auto bytes = [&](std::size_t v) {
    return t.values[v].constant.defined() ? 0 : static_cast<std::uint64_t>(t.values[v].shape.elements()) * sizeof(float);
  };
  for (const int id : t.outputs) last[of(id)] = static_cast<int>(t.nodes.size());
  std::vector<std::vector<std::size_t>> ends(t.nodes.size() + 1);
  for (std::size_t v = 0; v < count; ++v)
    if (last[v] >= 0) ends[static_cast<std::size_t>(last[v])].push_back(v);
  std::uint64_t now = 0, peak = 0;
  for (const int id : t.inputs) now += bytes(static_cast<std::size_t>(id));
  for (std::size_t n = 0; n < t.nodes.size(); ++n) {
    for (const int id : t.nodes[n].outputs)
      if (of(id) == static_cast<std::size_t>(id)) now += bytes(static_cast<std::size_t>(id));
    peak = std::max(peak, now);
    for (const std::size_t v : ends[n]) now -= std::min(now, bytes(v));
  }
  return peak;
}

NetworkShapes::NetworkShapes(const Yaml& model, std::int64_t channels) : params_(ParamStore::of_shapes()) {
  network_ = counted([&] { return std::make_unique<Network>(model, params_, channels); });
  own_size_ = size_of_backbone(model);
}

void NetworkShapes::check_stored(const std::map<std::string, Shape>& stored) const { params_->match(stored, true); }

void NetworkShapes::check_run(std::int64_t height, std::int64_t width) const {
  const Shape input{1, network_->channels(), std::max(height, own_size_), std::max(width, own_size_)};
  Trace steps;
  try {
    steps = counted([&] { return trace({input}, [&](const Vars& in) { return (*network_)(in[0]); }); });
  } catch (const OverBudget&) { throw; } catch (const Error&) {
    return;
  }
  if (steps.nodes.size() > kMostSteps)
    throw OverBudget("the network has " + std::to_string(steps.nodes.size()) + " steps; at most " + std::to_string(kMostSteps) +
                     " are run");
  check_memory(params_->bytes() + peak_bytes(steps), memory_limit(), "parameters, and the values of a run on " + input.str());
}

}  // namespace fovea
