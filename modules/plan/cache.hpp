// The plans of one network that were used last, with constants that they share. Any thread.
#pragma once

#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "modules/plan/plan.hpp"
#include "modules/plan/shared.hpp"

namespace fovea::plan {

class Cache {
 public:
  // Everything that a plan was made for. `parameters` tells one set of parameter tensors from another (their values may change).
  struct Key {
    Shape input;
    std::string keep;
    std::map<std::string, Shape> feeds;
    int threads = 1;
    DType precision = DType::f32;
    std::uint64_t parameters = 0;
    bool operator==(const Key&) const = default;
  };

  // The plan for `key`, or what `make` gives; other threads that want the same one wait for it.
  Plan get(const Key& key, const std::function<Plan()>& make);
  std::size_t size() const;
  void clear();
  const std::shared_ptr<SharedConstants>& shared() const { return shared_; }  // for the plans that are made for it

 private:
  struct Entry {
    Key key;
    Plan plan;
    std::size_t arena;  // bytes
  };
  std::optional<Plan> find(const Key& key);  // these two: under the lock
  void add(Entry entry);

  static constexpr std::size_t kMost = 8;
  static constexpr std::size_t kMostBytes = std::size_t{1} << 30;  // constants and an arena a plan; one plan may be larger

  mutable std::mutex mutex_;
  std::condition_variable made_;
  std::list<Key> making_;
  std::list<Entry> recent_;  // front: used last
  std::shared_ptr<SharedConstants> shared_ = std::make_shared<SharedConstants>();
};

}  // namespace fovea::plan
