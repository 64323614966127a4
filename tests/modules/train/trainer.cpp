// A tiny training: the loss falls, the seed decides everything, and a stopped run resumes bit for bit.
#include "modules/train/trainer.hpp"

#include <chrono>
#include <cmath>
#include <fstream>
#include <thread>

#include "modules/core/not_finite.hpp"
#include "modules/io/files.hpp"
#include "modules/io/safetensors.hpp"
#include "modules/nn/losses.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"

using namespace fovea;
namespace fs = std::filesystem;

namespace {

// Smooth random pictures: waves of random direction and colour. Low resolution is the value at the middle of each 2x2 pixels.
struct Waves final : BatchSource {
  std::uint64_t seed = 0;
  double poison = 0;  // added to the target of batch 3
  Batch batch(std::int64_t number) const override {
    Batch b{{{"image", Tensor::empty({4, 3, 8, 8}, DType::f32, Layout::channels_last)}},
            {{"image", Tensor::empty({4, 3, 16, 16}, DType::f32, Layout::channels_last)}}};
    Random random(seed, static_cast<std::uint64_t>(number) + 1);
    for (int n = 0; n < 4; ++n)
      for (int c = 0; c < 3; ++c) {
        const double u = random.uniform() * 0.8, v = random.uniform() * 0.8, phase = random.uniform() * 6;
        const auto paint = [&](Tensor& t, int side, double pixel) {
          for (int y = 0; y < side; ++y)
            for (int x = 0; x < side; ++x)
              t.data<float>()[((n * side + y) * side + x) * 3 + c] =
                  static_cast<float>(0.5 + 0.4 * std::sin(phase + u * (x + 0.5) * pixel + v * (y + 0.5) * pixel));
        };
        paint(b.input(), 8, 2);
        paint(b.target(), 16, 1);
      }
    if (number == 3 && poison != 0) b.target().fill(poison);
    return b;
  }
};

constexpr const char* kHead = "fovea: 1\nmodel:\n  head: {type: a2n_light, scale: 2, width: 8, blocks: 1}\ntrain:\n";

struct Run {
  fs::path out;
  std::string train =
      "  steps: 24\n  seed: 3\n  ema: 0.9\n  clip: 1\n  threads: 1\n  log_every: 4\n  validate_every: 8\n  checkpoint_every: 5\n"
      "  optimizer: {type: adamw, lr: 0.005, weight_decay: 0.01}\n  schedule: {type: cosine, warmup: 3}\n";
  Waves source = {};
  std::vector<double> losses = {};
  double validated = 0;
  std::string data = {};
  std::int64_t bad_validation = -1;  // the number of the validation at which the model's answers are not finite
  std::chrono::milliseconds slow_step{0}, slow_validation{0};
  std::vector<std::string> notes = {};

  // Stops once `stop_after` steps are done. Returns whether it got to the end.
  bool go(std::int64_t stop_after = 1 << 30, bool resume = false) {
    const Yaml recipe = Yaml::parse(kHead + train, "recipe");
    const TrainOptions options = read_train_options(recipe.at("train"), {});
    Trainer trainer(Model::from_recipe(recipe.str(), options.seed), options, out, data);
    if (resume) notes = trainer.resume();
    std::atomic<bool> stop{false};
    std::int64_t steps = 0, validations = 0;
    const auto loss = [&](const Model& m, const Batch& batch) {
      if (++steps == stop_after) stop = true;
      std::this_thread::sleep_for(slow_step);
      return l1_loss(m.forward(Var(batch.input())), Var(batch.target()));
    };
    const auto validate = [&](const Model& m) {
      std::this_thread::sleep_for(slow_validation);
      if (validations++ == bad_validation) throw NotFinite("metrics: a logit is not finite");
      const Batch b = source.batch(1000);
      const auto got = m.run(b.input()).values(), want = b.target().values();
      double error = 0;
      for (std::size_t i = 0; i < got.size(); ++i) error += std::abs(got[i] - want[i]);
      validated = -error / static_cast<double>(got.size());
      return Validation{validated, {}};
    };
    return trainer.run(
        source, loss, validate,
        [&](const Trainer::Progress& p) {
          if (!p.validation) losses.push_back(p.loss);
        },
        stop);
  }
};

// Everything in a checkpoint but how many log records there were.
bool same_checkpoint(const fs::path& a, const fs::path& b) {
  const TensorFile x = read_safetensors(a / "last.safetensors"), y = read_safetensors(b / "last.safetensors");
  bool same = x.tensors.size() == y.tensors.size();
  for (const auto& [name, value] : x.tensors) {
    same = same && y.tensors.count(name) && y.tensors.at(name).values() == value.values();
    CHECK(same);
  }
  return same && x.metadata == y.metadata;
}

std::vector<nlohmann::json> log_of(const fs::path& folder) {
  std::ifstream file(folder / "log.jsonl");
  std::vector<nlohmann::json> records;
  for (std::string line; std::getline(file, line);) records.push_back(nlohmann::json::parse(line));
  return records;
}

}  // namespace

TEST_CASE("training: the loss falls and the outputs are complete") {
  const test::Folder folder;
  Run run{folder / "run"};
  run.train = "  steps: 60\n  threads: 1\n  log_every: 10\n  validate_every: 60\n  optimizer: {lr: 0.005}\n";
  CHECK(run.go());
  REQUIRE(run.losses.size() == 6);
  CHECK(run.losses.back() < 0.6 * run.losses.front());
  const Model best = Model::load((folder / "run" / "best.safetensors").string());
  CHECK(best.metadata().at("fovea.step") == "60");
  CHECK(log_of(folder / "run").size() == 7);
  CHECK(fs::exists(folder / "run" / "curve.svg"));
}

TEST_CASE("training: the same seed gives the same bits, another seed others") {
  const test::Folder folder;
  Run a{folder / "a"}, b{folder / "b"}, c{folder / "c"};
  c.train.replace(c.train.find("seed: 3"), 7, "seed: 4");
  CHECK((a.go() && b.go() && c.go()));
  CHECK(same_checkpoint(a.out, b.out));
  const auto weights = [](const fs::path& out) {
    return read_safetensors(out / "last.safetensors").tensors.at("model.conv_first.weight").values();
  };
  CHECK(weights(a.out) != weights(c.out));
}

TEST_CASE("training: stopped and resumed, again and again, it ends bit for bit as undisturbed") {
  for (const std::string type :
       {"{type: adamw, lr: 0.005, weight_decay: 0.01}", "{type: sgd, lr: 0.05, momentum: 0.9, nesterov: true}"}) {
    const test::Folder folder;
    Run calm{folder / "calm"}, torn{folder / "torn"};
    for (Run* r : {&calm, &torn})
      r->train.replace(r->train.find("{type: adamw"), std::string("{type: adamw, lr: 0.005, weight_decay: 0.01}").size(), type);
    CHECK(calm.go());
    CHECK(!torn.go(4));
    CHECK(!torn.go(1, true));
    CHECK(!torn.go(8, true));
    CHECK(torn.go(1 << 30, true));
    const TensorFile x = read_safetensors(calm.out / "last.safetensors"), y = read_safetensors(torn.out / "last.safetensors");
    REQUIRE(x.tensors.size() == y.tensors.size());
    for (const auto& [name, value] : x.tensors) {
      INFO(name);
      CHECK(y.tensors.at(name).values() == value.values());
    }
    CHECK(read_file(calm.out / "best.safetensors") == read_file(torn.out / "best.safetensors"));
    CHECK(calm.validated == torn.validated);
    CHECK(torn.go(1 << 30, true));  // finished already
  }
}

TEST_CASE("training: the log is cut back to the checkpoint that a run resumes from") {
  const test::Folder folder;
  Run run{folder / "run"};
  CHECK(!run.go(12));
  const auto before = log_of(run.out);
  {
    std::ofstream log(run.out / "log.jsonl", std::ios::app);  // what a killed run wrote after its checkpoint, the last line torn
    log << R"({"step":16,"loss":0.5})"
        << "\n"
        << R"({"step":20,"lo)";
  }
  CHECK(run.go(1 << 30, true));
  const auto after = log_of(run.out);
  REQUIRE(after.size() > before.size());
  for (std::size_t i = 0; i < before.size(); ++i) CHECK(after[i] == before[i]);
  std::map<std::int64_t, int> logged;
  for (const auto& r : after) logged[r.at("step").get<std::int64_t>()] += r.contains("loss");
  for (const std::int64_t step : {4, 8, 12, 16, 20, 24}) CHECK(logged[step] == 1);
}

TEST_CASE("training: a checkpoint of another recipe, a cut one, none, and other files are refused with the reason") {
  const test::Folder folder;
  Run run{folder / "run"};
  CHECK(test::fails_with([&] { run.go(1, true); }, "last.safetensors"));
  CHECK(!run.go(6));
  Run other = run;
  other.train.replace(other.train.find("lr: 0.005"), 9, "lr: 0.006");
  CHECK(test::fails_with([&] { other.go(1, true); }, "another recipe: train.optimizer.lr was 0.005, is 0.006. Use a new folder"));

  const auto whole = read_file(run.out / "last.safetensors");
  for (const std::size_t size : {std::size_t{0}, std::size_t{7}, whole.size() / 2, whole.size() - 1}) {
    INFO(size << " bytes");
    write_file_atomically(run.out / "last.safetensors", whole.data(), size);
    CHECK(test::fails_with([&] { run.go(1, true); }, "last.safetensors"));
  }
  TensorFile file = parse_safetensors(whole, "whole");
  file.tensors["optimizer.conv_first.weight.m"] = Tensor::zeros({1});  // one value where many are written
  write_safetensors(run.out / "last.safetensors", file);
  CHECK(test::fails_with([&] { run.go(1, true); }, "conv_first.weight.m"));
  Model::from_recipe(kHead + run.train).save(run.out / "last.safetensors");
  CHECK(test::fails_with([&] { run.go(1, true); }, "not a checkpoint"));
  write_file_atomically(run.out / "last.safetensors", whole.data(), whole.size());
  CHECK(run.go(1 << 30, true));
}

TEST_CASE("training: numbers that are not finite stop it before they reach weights or a checkpoint") {
  const test::Folder folder;
  Run run{folder / "run"};
  run.source.poison = INFINITY;
  const std::string said = test::message_of([&] { run.go(); });
  CHECK(said.find("the loss or its gradient is not finite at step 3, at a learning rate of 0.005") != std::string::npos);
  CHECK(said.find("There is no checkpoint yet") != std::string::npos);
  CHECK(said.find("optimizer.lr: 0.0005") != std::string::npos);
  CHECK(!fs::exists(run.out / "last.safetensors"));
}

TEST_CASE("training: divergence that validation finds names step, rate and what to try, and leaves the last good checkpoint") {
  const test::Folder folder;
  Run run{folder / "run"};
  run.train =
      "  steps: 24\n  threads: 1\n  log_every: 4\n  validate_every: 8\n  checkpoint_every: 100\n  optimizer: {type: sgd, lr: "
      "0.02}\n";
  run.bad_validation = 1;
  const std::string said = test::message_of([&] { run.go(); });
  INFO(said);
  for (const char* part : {"at step 16", "rate of 0.02", "last good checkpoint, of step 8", "last.safetensors",
                           "best.safetensors", "optimizer.lr: 0.002", "clip: 1", "schedule.warmup: 10"})
    CHECK(said.find(part) != std::string::npos);
  for (const auto& [name, value] : read_safetensors(run.out / "last.safetensors").tensors)
    for (const double v : value.values()) REQUIRE(std::isfinite(v));
  CHECK(Model::load((run.out / "best.safetensors").string()).metadata().at("fovea.step") == "8");
  run.bad_validation = -1;
  CHECK(run.go(1 << 30, true));
}

TEST_CASE("training: weights that are not finite never become a checkpoint") {
  const test::Folder folder;
  Run run{folder / "run"};
  run.train = "  steps: 24\n  threads: 1\n  checkpoint_every: 1\n  optimizer: {type: sgd, lr: 1e39}\n";
  CHECK(test::fails_with([&] { run.go(); }, "the training has diverged"));
  if (!fs::exists(run.out / "last.safetensors")) return;
  for (const auto& [name, value] : read_safetensors(run.out / "last.safetensors").tensors)
    for (const double v : value.values()) REQUIRE(std::isfinite(v));
}

TEST_CASE("training: a fresh run leaves a used folder as it is") {
  const test::Folder folder;
  Run run{folder / "run"};
  CHECK(run.go());
  const auto best = read_file(run.out / "best.safetensors"), log = read_file(run.out / "log.jsonl");
  CHECK(test::fails_with([&] { run.go(); }, "holds the last.safetensors of another training"));
  fs::remove(run.out / "last.safetensors");
  CHECK(test::fails_with([&] { run.go(); }, "holds the best.safetensors of another training"));
  CHECK(read_file(run.out / "best.safetensors") == best);
  CHECK(read_file(run.out / "log.jsonl") == log);
}

TEST_CASE("training: what changes no result may change on resume; more steps continue as if there had always been so many") {
  const test::Folder folder;
  const std::string common =
      "  seed: 3\n  ema: 0.9\n  threads: 1\n  validate_every: 6\n  optimizer: {type: adamw, lr: 0.005}\n  schedule: {type: step, "
      "every: 5}\n";
  Run whole{folder / "whole", "  steps: 24\n  log_every: 4\n" + common},
      grown{folder / "grown", "  steps: 12\n  log_every: 4\n" + common};
  CHECK(whole.go());
  CHECK(grown.go());
  grown.train = "  steps: 24\n  log_every: 3\n  checkpoint_every: 2\n  loaders: 2\n" + common;
  CHECK(grown.go(1 << 30, true));
  REQUIRE(grown.notes.size() == 1);
  CHECK(grown.notes[0].find("ends at step 24 instead of 12") != std::string::npos);
  CHECK(grown.notes[0].find("do not depend on that") != std::string::npos);
  const TensorFile x = read_safetensors(whole.out / "last.safetensors"), y = read_safetensors(grown.out / "last.safetensors");
  for (const auto& [name, value] : x.tensors) {
    INFO(name);
    CHECK(y.tensors.at(name).values() == value.values());
  }
  const auto weights = [](const fs::path& out) {
    return read_safetensors(out / "best.safetensors").tensors.at("conv_first.weight").values();
  };
  CHECK(weights(whole.out) == weights(grown.out));

  grown.train = "  steps: 20\n" + common;
  CHECK(test::fails_with([&] { grown.go(1, true); }, "at step 24 already, and this recipe ends at step 20"));
  grown.train = "  steps: 24\n" + common + "  clip: 1\n";
  CHECK(test::fails_with([&] { grown.go(1, true); }, "train.clip was not there, is 1"));

  Run cosine{folder / "cosine"};  // its rates depend on the end: it goes on, and that is said
  CHECK(cosine.go());
  cosine.train.replace(cosine.train.find("steps: 24"), 9, "steps: 48");
  CHECK(cosine.go(1 << 30, true));
  REQUIRE(cosine.notes.size() == 1);
  CHECK(cosine.notes[0].find("the rate at step 24 is 0.00") != std::string::npos);
  CHECK(cosine.notes[0].find("instead of 0,") != std::string::npos);
}

TEST_CASE(
    "training: a checkpoint made with other data is refused; a best score that an older run lost does not keep it from going "
    "on") {
  const test::Folder folder;
  Run run{folder / "run"};
  run.data = "abc";
  CHECK(!run.go(10));
  run.data = "abd";
  CHECK(test::fails_with([&] { run.go(1, true); }, "made with other data"));
  run.data = "abc";
  TensorFile file = read_safetensors(run.out / "last.safetensors");
  auto state = nlohmann::json::parse(file.metadata.at("fovea.train"));
  state["best"] = nullptr;  // what JSON makes of infinity
  file.metadata["fovea.train"] = state.dump();
  write_safetensors(run.out / "last.safetensors", file);
  CHECK(run.go(1 << 30, true));
}

TEST_CASE("training: steps a second are those of the steps, whatever else happens between two lines of the log") {
  const test::Folder folder;
  Run run{folder / "run"};
  run.train = "  steps: 12\n  threads: 1\n  log_every: 6\n  validate_every: 4\n  checkpoint_every: 1\n";
  run.slow_step = std::chrono::milliseconds(5);
  run.slow_validation = std::chrono::milliseconds(600);
  CHECK(run.go());
  int lines = 0;
  for (const auto& r : log_of(run.out)) {
    if (!r.contains("steps_per_second")) continue;
    ++lines;
    CHECK(r.at("steps_per_second").get<double>() <= 200);  // each takes 5 ms at least
    CHECK(r.at("steps_per_second").get<double>() > 10);    // with the validations it would be below
  }
  CHECK(lines == 2);
}

TEST_CASE("training: numbers beside the loss are averaged over the batches between two lines of the log") {
  const test::Folder folder;
  const Yaml recipe = Yaml::parse(
      std::string(kHead) + "  steps: 4\n  accumulate: 2\n  threads: 1\n  log_every: 2\n  validate_every: 4\n", "recipe");
  Trainer trainer(Model::from_recipe(recipe.str()), read_train_options(recipe.at("train"), {}), folder / "run");
  int calls = 0;
  const Waves source;
  trainer.run(
      source,
      [&](const Model& m, const Batch& b) {
        return Trainer::Outcome(l1_loss(m.forward(Var(b.input())), Var(b.target())), {{"accuracy", calls++ / 8.0}});
      },
      [](const Model&) { return Validation{}; }, [](const Trainer::Progress&) {}, std::atomic<bool>{false});
  const auto log = log_of(folder / "run");
  CHECK(log.at(0).at("accuracy").get<double>() == Approx((0 + 1 + 2 + 3) / 4.0 / 8));
  CHECK(log.at(1).at("accuracy").get<double>() == Approx((4 + 5 + 6 + 7) / 4.0 / 8));
}

TEST_CASE("training: fine-tuning starts from given weights where names and shapes agree") {
  const test::Folder folder;
  Run first{folder / "first"};
  CHECK(first.go());
  Run second{folder / "second"};
  const std::string weights = (first.out / "best.safetensors").string();
  second.train = "  steps: 1\n  threads: 1\n  weights: " + weights + "\n  optimizer: {type: sgd, lr: 1e-30}\n";
  CHECK(second.go());
  const auto mine = Model::load((second.out / "best.safetensors").string()).params()->values();
  for (const auto& [name, value] : Model::load(weights).params()->values()) CHECK(mine.at(name).values() == value.values());
  second.train = "  weights: no-such-model\n";
  CHECK(test::fails_with([&] { second.go(); }, "no-such-model"));
}
