// One training step of A2N x2 (width 32, 8 blocks, 16 patches of 48 x 48, L1, Adam) against its own convolutions, forward and
// backward, direct and bare in oneDNN, and against PyTorch where that is installed, on the same processors.
#include <fmt/core.h>

#include "modules/autograd/apply.hpp"
#include "modules/core/threads.hpp"
#include "modules/model.hpp"
#include "modules/nn/losses.hpp"
#include "modules/nn/optim.hpp"
#include "tests/bench/bench.hpp"
#include "tests/bench/processors.hpp"
#include "tests/bench/training.hpp"

namespace fovea::bench {
namespace {

constexpr const char* kRecipe = "fovea: 1\nmodel: {head: {type: a2n, scale: 2, width: 32, tail_width: 24, blocks: 8}}\n";

class TrainStep {
 public:
  explicit TrainStep(DType precision)
      : precision_(precision),
        model_(Model::from_recipe(kRecipe)),
        adam_(model_.params(), {.lr = 1e-4}),
        x_(random_map({16, 3, 48, 48}, DType::f32)),
        y_(random_map({16, 3, 96, 96}, DType::f32)) {}
  void operator()() {
    Precision scope(precision_);
    model_.params()->zero_grad();
    l1_loss(model_.forward(Var(x_)), Var(y_)).backward();
    adam_.step(1e-4);
  }

 private:
  DType precision_;
  Model model_;
  Optimizer adam_;
  Tensor x_, y_;
};

void measure(Report& report, DType precision, int threads, double torch_limit, bool floor) {
  const Processors processors(threads);
  const ThreadScope thread_scope(threads);
  const std::string name = fmt::format("train_step.a2n.{}.{}t", name_of(precision), threads);
  TrainStep step(precision);
  BareConvolutions bare(Model::from_recipe(kRecipe), {16, 3, 48, 48}, precision);
  const StepTimes t = step_times(
      "a2n", threads, [&] { step(); }, [&] { bare(); });
  report.note(name + ".ms", t.all.median(0) * 1e3);
  if (floor) report.at_most(name + "/direct_convolutions", t.all.over(0, 1), 1.20);
  else report.note(name + "/direct_convolutions", t.all.over(0, 1));
  if (!t.missing.empty()) return report.skip(name + "/pytorch_f32", t.missing);
  report.state(name + ".version", "PyTorch " + t.version);
  report.at_most(name + "/pytorch_f32", t.all.over(0, 2), torch_limit);
}

}  // namespace

void train_step(Report& report) {
  measure(report, DType::f32, 1, 0.95, true);
  if (cpu_budget() >= 2) measure(report, DType::f32, 2, 0.75, true);
  else report.skip("train_step.a2n.f32.2t", "one processor");
  try {
    parse_precision("bf16");
  } catch (const Error& e) { return report.skip("train_step.a2n.bf16", e.what()); }
  // The limits are for processors with AMX, where `auto` takes bf16; elsewhere the figure is printed without one.
  if (parse_precision("auto") != DType::bf16) {
    ThreadScope thread_scope(1);
    TrainStep f32(DType::f32), bf16(DType::bf16);
    const Times t = interleaved(7, {timed([&] { f32(); }), timed([&] { bf16(); })});
    report.note("train_step.a2n.bf16/f32.1t", t.over(1, 0));
    return report.skip("train_step.a2n.bf16/pytorch_f32", "this processor has no AMX");
  }
  measure(report, DType::bf16, 1, 0.50, false);
  if (cpu_budget() >= 2) measure(report, DType::bf16, 2, 0.40, false);
}

}  // namespace fovea::bench
