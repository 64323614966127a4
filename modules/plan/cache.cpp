#include "modules/plan/cache.hpp"

#include <algorithm>

namespace fovea::plan {

Plan Cache::get(const Key& key, const std::function<Plan()>& make) {
  std::unique_lock lock(mutex_);
  while (true) {
    if (const auto there = find(key)) return *there;
    if (std::find(making_.begin(), making_.end(), key) == making_.end()) break;
    made_.wait(lock);
  }
  const auto mine = making_.insert(making_.end(), key);
  lock.unlock();
  std::optional<Plan> plan;
  std::size_t arena = 0;
  std::exception_ptr error;
  try {
    plan = make();
    arena = plan->memory().arena;  // its constants, too, are made before others wait
  } catch (...) { error = std::current_exception(); }
  lock.lock();
  making_.erase(mine);
  if (!error) add({key, *plan, arena});
  made_.notify_all();
  if (error) std::rethrow_exception(error);
  return *plan;
}

std::optional<Plan> Cache::find(const Key& key) {
  const auto it = std::find_if(recent_.begin(), recent_.end(), [&](const Entry& e) { return e.key == key; });
  if (it == recent_.end()) return std::nullopt;
  recent_.splice(recent_.begin(), recent_, it);
  return it->plan;
}

void Cache::add(Entry entry) {
  recent_.push_front(std::move(entry));
  const auto bytes = [&] {
    std::size_t sum = shared_->bytes();
    for (const Entry& e : recent_) sum += e.arena;
    return sum;
  };
  while (recent_.size() > 1 && (recent_.size() > kMost || bytes() > kMostBytes)) recent_.pop_back();
}

std::size_t Cache::size() const {
  std::lock_guard lock(mutex_);
  return recent_.size();
}

void Cache::clear() {
  std::lock_guard lock(mutex_);
  recent_.clear();
}

}  // namespace fovea::plan
