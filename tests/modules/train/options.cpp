#include "modules/train/options.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;

namespace {

TrainOptions read(const std::string& text) { return read_train_options(Yaml::parse(text, "r.yaml"), {"patch", "data"}); }
bool refused(const std::string& text, const std::string& message) {
  INFO(text);
  return test::fails_with([&] { read(text); }, message);
}

}  // namespace

TEST_CASE("train options: read with defaults; the task's keys are left to it") {
  const TrainOptions o = read(
      "task: upscale\nsteps: 70\nseed: 9\nema: 0.99\nclip: 0.5\npatch: 8\ndata: [a, b]\n"
      "optimizer: {type: adamw, lr: 1e-4, weight_decay: 0.01}\nschedule: {type: cosine, warmup: 5, floor: 0.1}\n");
  CHECK((o.steps == 70 && o.seed == 9 && o.ema == 0.99 && o.clip == 0.5));
  CHECK(
      (o.optimizer.type == "adamw" && o.optimizer.lr == 1e-4 && o.optimizer.weight_decay == 0.01 && o.optimizer.beta2 == 0.999));
  CHECK((o.schedule.type == "cosine" && o.schedule.steps == 70 && o.schedule.warmup == 5));
  CHECK((o.precision == "f32" && o.loss == "l1" && o.log_every == 50));
}

TEST_CASE("train options: what is unknown, no number or out of range is refused with its place") {
  CHECK(refused("stesp: 5\n", "r.yaml:1: unknown key 'stesp'; did you mean 'steps'?"));
  CHECK(refused("steps: many\n", "steps: expected a number, got 'many'"));
  CHECK(refused("steps: [1]\n", "steps: expected one value"));
  CHECK(refused("steps: 0\n", "must be positive"));
  CHECK(refused("log_every: -1\n", "must be positive"));
  CHECK(refused("loaders: 0\n", "must be positive"));
  CHECK(refused("ema: 1\n", "ema in [0, 1)"));
  CHECK(refused("clip: nan\n", "clip: expected a number, got 'nan'"));
  CHECK(refused("clip: -1\n", "clip >= 0"));
  CHECK(refused("threads: -2\n", "threads >= 0"));
  CHECK(refused("precision: f61\n", "f61"));
  CHECK(refused("optimizer: {lr: 0}\n", "lr > 0"));
  CHECK(refused("optimizer: {lr: nan}\n", "lr: expected a number, got 'nan'"));
  CHECK(refused("optimizer: {learning_rate: 1}\n", "unknown option 'learning_rate'"));
  CHECK(refused("optimizer: {lr: [1]}\n", "lr: expected one value"));
  CHECK(refused("schedule: {type: cosin}\n", "got 'cosin'"));
  CHECK(refused("schedule: {type: step}\n", "positive interval"));
}
