// What the first picture of a new size costs: pictures of 50 sizes through the networks that take any, each twice, on one thread. Processor
// time, since a network that is compiled for a size does it on the thread that asks.
#include <fmt/core.h>

#include <ctime>

#include "modules/core/memory.hpp"
#include "modules/core/threads.hpp"
#include "tests/bench/bench.hpp"
#include "tests/bench/training.hpp"

namespace fovea::bench {
namespace {

constexpr int kSizes = 50, kFew = 10;

double processor_seconds(const std::function<void()>& task) {
  const auto now = [] {
    timespec t{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  };
  const double start = now();
  task();
  return now() - start;
}

// Of photographs: every side from 322 x 240 on has another length. Large ones and small ones take turns, so that what is held in the end can
// be compared with what was held early on.
Shape size(int i) {
  const int step = i < 0 ? i : i * 21 % kSizes;
  return {1, 3, 240 + 3 * step, 322 + 5 * step};
}

void measure(Report& report, const std::string& name) {
  const ThreadScope thread_scope(1);
  const Model model = Model::load(name);
  for (int i = -2; i < 0; ++i) model.run(random_map(size(i), DType::f32));  // what is made once for all sizes
  std::vector<double> ratios, first, later;
  double held_by_few = 0;
  for (int i = 0; i < kSizes; ++i) {
    {
      const Tensor x = random_map(size(i), DType::f32);
      first.push_back(processor_seconds([&] { model.run(x); }));
      later.push_back(processor_seconds([&] { model.run(x); }));
    }
    ratios.push_back(first.back() / later.back());
    const auto held = static_cast<double>(memory::stats().in_use);
    if (i + 1 == kFew) held_by_few = held;
    if (i + 1 == kSizes) report.at_most("new_size." + name + ".held_50/held_10", held / held_by_few, 1.10);
  }
  report.note("new_size." + name + ".later_ms", 1e3 * median(later));
  report.note("new_size." + name + ".first_ms", 1e3 * median(first));
  report.at_most("new_size." + name + ".first/later", spread(ratios), 1.30);
}

}  // namespace

void new_size(Report& report) {
  for (const char* name : {"upscale-x2", "upscale-x4"}) measure(report, name);
}

}  // namespace fovea::bench
