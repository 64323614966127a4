// The plans of one network that were used last. Any thread.
#pragma once

#include <functional>
#include <list>
#include <mutex>
#include <string>

#include "modules/plan/plan.hpp"

namespace fovea::plan {

class Cache {
 public:
  // Everything that a plan was made for. `parameters` tells one set of parameter tensors from another (their values may change).
  struct Key {
    Shape input;
    std::string keep;
    std::map<std::string, Shape> pins;
    int threads = 1;
    DType precision = DType::f32;
    std::uint64_t parameters = 0;
    bool operator==(const Key&) const = default;
  };

  // The plan for `key`, or what `make` gives. Two threads that want a new one at once may both make it.
  Plan get(const Key& key, const std::function<Plan()>& make);
  std::size_t size() const;

 private:
  struct Entry {
    Key key;
    Plan plan;
    std::size_t bytes;  // that stay with it: its constants and the arena of a run
  };
  static constexpr std::size_t kMost = 8;
  static constexpr std::size_t kMostBytes = std::size_t{1} << 30;  // one plan may be larger

  mutable std::mutex mutex_;
  std::list<Entry> recent_;  // front: used last
};

}  // namespace fovea::plan
