// The program of the tests. Catch2 3 brings a main of its own; both versions get a listener that says which tests were skipped.
#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_MAIN
#endif
#include <cstdio>

#include "tests/support/catch.hpp"
#include "tests/support/skip.hpp"

namespace {

std::string reason_to_skip;

#if __has_include(<catch2/catch_all.hpp>)
using Listener = Catch::EventListenerBase;
#else
using Listener = Catch::TestEventListenerBase;
#endif

class Skips final : public Listener {
 public:
  using Listener::Listener;
  void testCaseStarting(const Catch::TestCaseInfo& info) override {
    Listener::testCaseStarting(info);
    reason_to_skip.clear();
  }
  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    Listener::testCaseEnded(stats);
    // CTest takes even a failed test that prints this for a skipped one.
    if (!reason_to_skip.empty() && stats.totals.assertions.total() == 0)
      std::printf("fovea test skipped: %s\n", reason_to_skip.c_str());
  }
};

CATCH_REGISTER_LISTENER(Skips)

}  // namespace

namespace fovea::test {

void ask_to_skip(const std::string& reason) { reason_to_skip = reason; }

}  // namespace fovea::test
