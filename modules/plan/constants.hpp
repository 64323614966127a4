// The constants of a plan: weights and other values that depend on parameters alone, in the form in which steps read them. They are
// computed before the first run and again after a parameter has been written.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "modules/plan/graph.hpp"
#include "modules/plan/shared.hpp"

namespace fovea::plan {

class Constants {
 public:
  using Transform = std::function<Tensor(const Tensor&)>;
  Constants(const Graph& g, std::shared_ptr<SharedConstants> shared) : values_(&g.values), shared_(std::move(shared)) {}

  // Registers value `id` after `transform` (none: as it is) as a constant and returns its index in current(). Before freeze() only.
  // `key` names the transform and all that it depends on, so that plans can share the result; without one this plan has its own.
  std::size_t want(Id id, Transform transform = {}, std::string key = {});
  void freeze();  // copies what it needs of the graph, which may go

  // All constants, computed again where the storage of a parameter has been written since. Any thread.
  std::shared_ptr<const Tensors> current();
  std::size_t
  bytes();  // of the constants, also those shared with other plans; parameters that are read where they lie do not count
  // Computes the constants and drops the references to the parameters: later changes of these have no effect.
  void release_parameters();

 private:
  struct Wanted {
    Id id;
    Transform transform;
    std::string key;
  };
  struct Source {
    Tensor tensor;
    std::uint64_t version;
  };
  struct Ready {
    Tensors values;
    std::vector<std::shared_ptr<const Tensor>> shared;  // owned jointly with other plans
  };
  bool stale() const;
  void make();
  Tensor value(Id id, std::map<Id, Tensor>& made) const;
  std::string key(Id id) const;  // empty for a value without a key

  const std::vector<Value>* values_;
  std::shared_ptr<SharedConstants> shared_;
  std::map<Id, std::shared_ptr<const ConstantExpr>> exprs_;
  std::vector<Wanted> wanted_;
  std::mutex mutex_;
  std::vector<Source> sources_;
  std::shared_ptr<const Ready> ready_;
};

}  // namespace fovea::plan
