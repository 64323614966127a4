#include "modules/train/batch_source.hpp"

#include <chrono>

#include "modules/core/threads.hpp"

namespace fovea {

Prefetcher::Prefetcher(const BatchSource& source, std::int64_t first, int threads, int ahead)
    : source_(source), to_make_(first), to_give_(first), ahead_(ahead) {
  check(threads > 0 && ahead > 0, "loader: expected at least one thread and one batch ahead");
  try {
    for (int i = 0; i < threads; ++i) workers_.emplace_back([this] { work(); });
  } catch (...) {  // the system gives no more threads
    stop();
    throw;
  }
}

Prefetcher::~Prefetcher() { stop(); }

void Prefetcher::stop() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  for (std::thread& t : workers_) t.join();
}

void Prefetcher::work() {
  ThreadScope thread_scope(1);
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stop_ || to_make_ < to_give_ + ahead_; });
    if (stop_) return;
    const std::int64_t number = to_make_++;
    lock.unlock();
    Batch batch;
    std::exception_ptr error;
    try {
      batch = source_.batch(number);
    } catch (...) { error = std::current_exception(); }
    lock.lock();
    try {
      ready_[number] = {std::move(batch), error};
    } catch (...) { broken_ = std::current_exception(); }
    stop_ = stop_ || error || broken_;
    changed_.notify_all();
  }
}

Batch Prefetcher::next() {
  const auto start = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return broken_ || ready_.count(to_give_) > 0; });
  if (broken_) std::rethrow_exception(broken_);
  waited_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  Made& made = ready_[to_give_];
  if (made.error) std::rethrow_exception(made.error);
  Batch b = std::move(made.batch);
  ready_.erase(to_give_++);
  changed_.notify_all();
  return b;
}

}  // namespace fovea
