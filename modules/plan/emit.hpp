// What the nodes' emit() functions work with.
#pragma once

#include <map>

#include "modules/plan/memory.hpp"
#include "modules/plan/plan_state.hpp"

namespace fovea::plan {

// Plans the memory and turns the nodes of a graph into steps.
class Emitter {
 public:
  Emitter(const Graph& g, const Options& options);
  std::shared_ptr<Plan::State> run();

  const Graph& graph() const { return g_; }
  // Where a value lies; a constant as it is. Of kind absent for -1.
  BufferRef at(Id id);
  std::vector<BufferRef> at(const std::vector<Id>& ids);
  // The same for an operand that broadcasts to `full`: a constant is converted to f32 in the plan's layout at the rank of `full`.
  BufferRef operand(Id id, const Shape& full);
  // For an operand that is used as it is.
  BufferRef operand(Id id) { return operand(id, id < 0 ? Shape{} : g_.shape(id)); }
  // A constant after `transform`; `key` as in Constants::want().
  BufferRef constant(Id id, std::function<Tensor(const Tensor&)> transform, std::string key);
  // The workspace of the node that is emitted now; see Work::workspace_bytes().
  BufferRef workspace() const;
  // Whether `n` writes its output over its in_place_input().
  bool in_place(const Node& n) const { return life_.overwrites(n, n.in_place_input()); }
  // Registers a oneDNN convolution; returns the index of its Call in a Run.
  std::size_t add_call(std::shared_ptr<const dnn::PreparedConv> conv);

 private:
  std::pair<Id, std::int64_t> root(Id id) const;
  BufferRef kept(Id id, Plan::State::Copy copy);
  void add(const Node& n, std::size_t i);
  Plan::StepInfo info(const Node& n, const Step& step) const;
  void release_eager();
  bool eager(Id id) const { return id >= 0 && eager_slots_[static_cast<std::size_t>(id)] > 0; }

  const Graph& g_;
  Lifetimes life_;
  std::vector<Allocation> allocations_;  // of values, then the workspace of each node
  std::shared_ptr<Plan::State> state_;
  std::size_t workspaces_ = 0, current_ = 0;  // index of the first workspace; of the node that is emitted
  std::vector<std::size_t> eager_slots_;      // of each value, from 1 on; 0: not eager
  std::map<Id, std::size_t> last_, made_at_;  // entries that read an eager value last, that compute a value
};

}  // namespace fovea::plan
