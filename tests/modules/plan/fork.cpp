// A process that computed on several threads forks: OpenMP's threads are not copied into the child.
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <functional>
#include <optional>

#include "modules/core/threads.hpp"
#include "modules/model.hpp"
#include "modules/ops/conv2d.hpp"
#include "modules/plan/plan.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;

namespace {

struct Width {
  explicit Width(int n) : before(threads()) { set_threads(n); }
  ~Width() { set_threads(before); }
  int before;
};

// What `f` gives in a child; none where it hangs, dies or throws.
std::optional<int> in_child(const std::function<int()>& f) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    int code = 255;
    try {
      code = f();
    } catch (...) {}
    ::_exit(code);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) == 255) return std::nullopt;
  return WEXITSTATUS(status);
}

bool near(const Tensor& a, const Tensor& b) {
  const auto x = a.values(), y = b.values();
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) worst = std::max(worst, std::abs(x[i] - y[i]));
  return x.size() == y.size() && worst < 1e-4;
}

}  // namespace

TEST_CASE("fork: a child computes on one thread, whatever it asks for") {
  const Width width(2);
  parallel_blocks(64, [](std::int64_t) {});
  const auto asked = in_child([] {
    int wrong = threads() != 1;
    set_threads(4);
    wrong += threads() != 1;
    const ThreadScope scope(3);
    wrong += threads() != 1;
    int blocks = 0;
    parallel_blocks(64, [&](std::int64_t) { ++blocks; });
    return wrong + (blocks != 64);
  });
  CHECK(asked == 0);
  CHECK(threads() == 2);
}

TEST_CASE("fork: a model that ran on two threads runs in a child, too") {
  const Width width(2);
  const Model model = Model::from_recipe(
      "fovea: 1\nmodel:\n  backbone: {type: resnet18}\n  head: {type: classify, classes: 10}\npreprocess: {size: 64}\n");
  const Tensor x = Tensor::full({1, 3, 64, 64}, 0.3);
  const Tensor expected = model.run(x);
  CHECK(in_child([&] { return near(model.run(x), expected) ? 0 : 1; }) == 0);
  CHECK(in_child([&] { return near(model.forward(Var(x)).value(), expected) ? 0 : 1; }) == 0);
}

TEST_CASE("fork: a plan made for several threads says what to do in a child") {
  const Width width(2);
  const Tensor w = Tensor::full({32, 32, 3, 3}, 0.01), x = Tensor::full({1, 32, 48, 48}, 0.5);
  const auto network = [&](const Vars& in) {
    return Vars{conv2d(in[0], Var(w), Var(), {.pad_begin = {1, 1}, .pad_end = {1, 1}})};
  };
  const plan::Plan made = plan::compile(network, {x.shape()});
  const Tensor expected = made.run({x}).outputs[0];
  const auto child = in_child([&] {
    if (!test::fails_with([&] { made.run({x}); }, "made for 2 threads, and a process made by fork() computes on one")) return 1;
    return near(plan::compile(network, {x.shape()}).run({x}).outputs[0], expected) ? 0 : 2;
  });
  CHECK(child == 0);
}
