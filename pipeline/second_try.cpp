#include "pipeline/second_try.hpp"

#include <chrono>
#include <thread>
#include <utility>

#include "pipeline/interrupt.hpp"

namespace fovea {
namespace {

constexpr std::size_t kFew = 16, kGiveUp = 3;  // inputs tried; failures in a row after which nothing better is expected
constexpr auto kMoment = std::chrono::milliseconds(200);

}  // namespace

void SecondTry::note(const Frame& frame) {
  Frame fresh;
  fresh.index = frame.index;
  fresh.source = frame.source;
  fresh.input = frame.input;
  fresh.part = frame.part;
  fresh.members = frame.members;
  fresh.stream = frame.stream;
  fresh.address = frame.address;
  fresh.alias = frame.alias;
  fresh.output = frame.output;
  kept_.push_back({std::move(fresh), frame.error ? frame.error->reason : ""});
}

std::vector<SecondTry::Failed> SecondTry::run(Runner& runner, const Runner::Sink& sink) {
  std::vector<Failed> failed;
  std::size_t tried = 0, in_a_row = 0;
  for (Kept& kept : std::exchange(kept_, {})) {
    bool done = false;
    if (tried < kFew && in_a_row < kGiveUp && !Interrupt::requested()) {
      ++tried;
      std::this_thread::sleep_for(kMoment);
      std::optional<Frame> next = kept.frame;
      runner.run([&] { return std::exchange(next, std::nullopt); },
                 [&](Frame& frame) {
                   if (frame.error && frame.error->passing) return void(kept.reason = frame.error->reason);
                   done = true;
                   sink(frame);
                 });
      in_a_row = done ? 0 : in_a_row + 1;
    }
    if (!done) failed.push_back({kept.frame.source, kept.reason, kept.frame.index});
  }
  return failed;
}

}  // namespace fovea
