#include "modules/plan/cache.hpp"

#include <algorithm>
#include <numeric>

namespace fovea::plan {

Plan Cache::get(const Key& key, const std::function<Plan()>& make) {
  const auto wanted = [&](const Entry& e) { return e.key == key; };
  {
    std::lock_guard lock(mutex_);
    if (const auto it = std::find_if(recent_.begin(), recent_.end(), wanted); it != recent_.end()) {
      recent_.splice(recent_.begin(), recent_, it);
      return it->plan;
    }
  }
  Plan plan = make();
  const Plan::Memory memory = plan.memory();
  std::lock_guard lock(mutex_);
  if (std::find_if(recent_.begin(), recent_.end(), wanted) != recent_.end()) return plan;
  recent_.push_front({key, plan, memory.arena + memory.constants});
  const auto bytes = [&] {
    return std::accumulate(recent_.begin(), recent_.end(), std::size_t{0},
                           [](std::size_t sum, const Entry& e) { return sum + e.bytes; });
  };
  while (recent_.size() > 1 && (recent_.size() > kMost || bytes() > kMostBytes)) recent_.pop_back();
  return plan;
}

std::size_t Cache::size() const {
  std::lock_guard lock(mutex_);
  return recent_.size();
}

}  // namespace fovea::plan
