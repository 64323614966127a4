// The constants of a plan: what steps read besides the picture. Made from parameters by recipes, again when one of them has changed.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "modules/plan/graph.hpp"

namespace fovea::plan {

class Constants {
 public:
  explicit Constants(const Mutable& g) : values_(&g.values) {}

  // The index of a constant that steps will read: value `id` after `change` (none: as it is). Before freeze() only.
  std::size_t want(Id id, std::function<Tensor(const Tensor&)> change = {});
  void freeze();  // copies the recipes; the graph may go

  // All that was wanted, made anew where a parameter's storage has been written since. Any thread.
  std::shared_ptr<const Tensors> current();
  std::size_t bytes();  // owned by the plan, the parameters apart

 private:
  struct Source {
    Tensor tensor;
    std::uint64_t version;
  };
  bool stale() const;
  void make();
  Tensor value(Id id, std::map<Id, Tensor>& made);

  const std::vector<Value>* values_;
  std::map<Id, std::shared_ptr<const Recipe>> recipes_;
  std::vector<std::pair<Id, std::function<Tensor(const Tensor&)>>> wanted_;
  std::mutex mutex_;
  std::vector<Source> sources_;
  std::shared_ptr<const Tensors> ready_;
};

}  // namespace fovea::plan
