// The least recently used cache of the plans of one network, and the constants that these share. Any thread.
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
  // All that a plan depends on. `parameters` identifies the set of parameter tensors; their values may change without a new plan.
  struct Key {
    Shape input;
    std::string keep;
    std::map<std::string, Shape> feeds;
    int threads = 1;
    DType precision = DType::f32;
    std::uint64_t parameters = 0;
    bool operator==(const Key&) const = default;
  };

  // The cached plan for `key`, or what `make` returns; other threads that ask for the same key wait for it. Passes on what `make` throws.
  Plan get(const Key& key, const std::function<Plan()>& make);
  std::size_t size() const;
  void clear();
  const std::shared_ptr<SharedConstants>& shared() const { return shared_; }  // Options::shared of its plans

 private:
  struct Entry {
    Key key;
    Plan plan;
    std::size_t arena;  // bytes
  };
  std::optional<Plan> find(const Key& key);  // call with the lock held, as add()
  void add(Entry entry);

  static constexpr std::size_t kMost = 8;
  static constexpr std::size_t kMostBytes = std::size_t{1}
                                            << 30;  // of the constants and an arena for each plan; one plan may be larger

  mutable std::mutex mutex_;
  std::condition_variable made_;
  std::list<Key> making_;
  std::list<Entry> recent_;  // front: used last
  std::shared_ptr<SharedConstants> shared_ = std::make_shared<SharedConstants>();
};

}  // namespace fovea::plan
