// A tiny training: the loss falls, the seed decides everything, and a stopped run resumes bit for bit.
#include "modules/train/trainer.hpp"

#include <cmath>
#include <fstream>

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

  // Stops once `stop_after` steps are done. Returns whether it got to the end.
  bool go(std::int64_t stop_after = 1 << 30, bool resume = false) {
    const Yaml recipe = Yaml::parse(kHead + train, "recipe");
    const TrainOptions options = read_train_options(recipe.at("train"), {});
    Trainer trainer(Model::from_recipe(recipe.str(), options.seed), options, out);
    if (resume) trainer.resume();
    std::atomic<bool> stop{false};
    std::int64_t steps = 0;
    const auto loss = [&](const Model& m, const Batch& batch) {
      if (++steps == stop_after) stop = true;
      return l1_loss(m.forward(Var(batch.input())), Var(batch.target()));
    };
    const auto validate = [&](const Model& m) {
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
  CHECK(test::fails_with([&] { other.go(1, true); }, "another recipe"));

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
  CHECK(test::fails_with([&] { run.go(); }, "not finite at step 3"));
  CHECK(!fs::exists(run.out / "last.safetensors"));
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
