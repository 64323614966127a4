// Where training batches come from. A batch is a pure function of its number, so a resumed run goes on exactly and loader
// threads need no order among themselves.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <thread>

#include "modules/core/named.hpp"
#include "modules/core/tensor.hpp"

namespace fovea {

// What one step sees. Names are the task's: "image" and "class", "image" and "mask".
struct Batch {
  NamedTensors inputs, targets;

  Tensor& input() { return inputs.first(); }  // of networks that take one
  const Tensor& input() const { return inputs.first(); }
  Tensor& target() { return targets.first(); }
  const Tensor& target() const { return targets.first(); }
};

class BatchSource {
 public:
  virtual ~BatchSource() = default;
  virtual Batch batch(std::int64_t number) const = 0;  // called from several threads
};

// Makes batches ahead of time on its own threads and hands them out in order.
class Prefetcher {
 public:
  Prefetcher(const BatchSource& source, std::int64_t first, int threads = 1, int ahead = 4);
  ~Prefetcher();
  Batch next();                              // rethrows what the source threw for this batch, after all before it
  double waited() const { return waited_; }  // seconds that next() had to wait

 private:
  struct Made {
    Batch batch;
    std::exception_ptr error;
  };
  void work();
  void stop();

  const BatchSource& source_;
  std::int64_t to_make_, to_give_;
  std::int64_t ahead_;
  bool stop_ = false;  // no new batches: destroyed, or one failed
  double waited_ = 0;
  std::map<std::int64_t, Made> ready_;
  std::exception_ptr broken_;  // a batch could not even be handed over: out of memory
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::thread> workers_;
};

}  // namespace fovea
