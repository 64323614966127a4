#include "modules/plan/shared.hpp"

namespace fovea::plan {

std::shared_ptr<const Tensor> SharedConstants::get(const std::string& key, const std::function<Tensor()>& make) {
  if (!key.empty()) {
    std::lock_guard lock(mutex_);
    if (const auto it = entries_.find(key); it != entries_.end())
      if (auto there = it->second.lock()) return there;
  }
  auto made = std::make_shared<const Tensor>(make());
  std::lock_guard lock(mutex_);
  std::erase_if(entries_, [](const auto& e) { return e.second.expired(); });
  auto& entry = entries_[key.empty() ? "unnamed " + std::to_string(++unnamed_) : key];
  if (auto there = entry.lock()) return there;
  entry = made;
  return made;
}

std::size_t SharedConstants::bytes() const {
  std::lock_guard lock(mutex_);
  std::size_t total = 0;
  for (const auto& [key, constant] : entries_)
    if (const auto there = constant.lock(); there && there->defined()) total += there->storage()->bytes;
  return total;
}

}  // namespace fovea::plan
