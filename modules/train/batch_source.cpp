#include "modules/train/batch_source.hpp"

#include <chrono>

#include "modules/core/threads.hpp"

namespace fovea {

Prefetcher::Prefetcher(const BatchSource& source, std::int64_t first, int threads, int ahead)
    : source_(source), to_make_(first), to_give_(first), ahead_(ahead) {
  for (int i = 0; i < threads; ++i) workers_.emplace_back([this] { work(); });
}

Prefetcher::~Prefetcher() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  for (std::thread& t : workers_) t.join();
}

void Prefetcher::work() {
  Lane lane(1);
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stop_ || error_ || to_make_ < to_give_ + ahead_; });
    if (stop_ || error_) return;
    const std::int64_t number = to_make_++;
    lock.unlock();
    Batch made;
    std::exception_ptr error;
    try {
      made = source_.batch(number);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    if (error) error_ = error;
    else ready_[number] = std::move(made);
    changed_.notify_all();
  }
}

Batch Prefetcher::next() {
  const auto start = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return error_ || ready_.count(to_give_); });
  waited_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!ready_.count(to_give_)) std::rethrow_exception(error_);
  Batch b = std::move(ready_[to_give_]);
  ready_.erase(to_give_++);
  changed_.notify_all();
  return b;
}

}  // namespace fovea
