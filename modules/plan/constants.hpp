// The constants of a plan: what steps read besides the picture. Made from parameters by recipes, again when one of them has changed.
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
  using Change = std::function<Tensor(const Tensor&)>;
  Constants(const Mutable& g, std::shared_ptr<SharedConstants> shared) : values_(&g.values), shared_(std::move(shared)) {}

  // The index of a constant that steps will read: value `id` after `change` (none: as it is). Before freeze() only. `key` names the
  // change and all that it depends on, so that other plans may share its result; without one it is made for this plan alone.
  std::size_t want(Id id, Change change = {}, std::string key = {});
  void freeze();  // copies the recipes; the graph may go

  // All that was wanted, made anew where a parameter's storage has been written since. Any thread.
  std::shared_ptr<const Tensors> current();
  std::size_t bytes();  // owned by the plan and those that share with it, the parameters apart
  // Makes what is wanted and forgets the parameters: their later changes are not followed.
  void let_go();

 private:
  struct Wanted {
    Id id;
    Change change;
    std::string key;
  };
  struct Source {
    Tensor tensor;
    std::uint64_t version;
  };
  struct Ready {
    Tensors values;
    std::vector<std::shared_ptr<const Tensor>> shared;  // keeps them there for other plans
  };
  bool stale() const;
  void make();
  Tensor value(Id id, std::map<Id, Tensor>& made) const;
  std::string key(Id id) const;  // empty where nothing names the value

  const std::vector<Value>* values_;
  std::shared_ptr<SharedConstants> shared_;
  std::map<Id, std::shared_ptr<const Recipe>> recipes_;
  std::vector<Wanted> wanted_;
  std::mutex mutex_;
  std::vector<Source> sources_;
  std::shared_ptr<const Ready> ready_;
};

}  // namespace fovea::plan
