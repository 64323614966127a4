// Texts in the order of their numbers (0, 1, ...), whatever the order in which they come. From any thread.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <ostream>
#include <string>

namespace fovea {

class InOrder {
 public:
  explicit InOrder(std::ostream& out) : out_(out) {}
  void add(std::size_t index, std::string text) {
    const std::lock_guard lock(mutex_);
    waiting_[index] = std::move(text);
    for (auto it = waiting_.find(next_); it != waiting_.end(); it = waiting_.find(++next_)) {
      out_ << it->second;
      waiting_.erase(it);
    }
    out_.flush();
  }
  // Whether something could not be written.
  bool failed() {
    const std::lock_guard lock(mutex_);
    return !out_;
  }

 private:
  std::ostream& out_;
  std::mutex mutex_;
  std::size_t next_ = 0;
  std::map<std::size_t, std::string> waiting_;
};

}  // namespace fovea
