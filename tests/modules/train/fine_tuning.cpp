// Gradient accumulation, early stopping, freezing, and that all of it resumes bit for bit.
#include <cmath>

#include "modules/io/files.hpp"
#include "modules/io/safetensors.hpp"
#include "modules/nn/losses.hpp"
#include "modules/train/trainer.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"

using namespace fovea;
namespace fs = std::filesystem;

namespace {

// Noise in, the same noise enlarged out; sample n of all is a function of n alone, so that batches of any size tell the same story.
struct Blocks final : BatchSource {
  int batch_size = 4;
  Batch batch(std::int64_t number) const override {
    Batch b{{{"image", Tensor::empty({batch_size, 3, 6, 6}, DType::f32, Layout::channels_last)}},
            {{"image", Tensor::empty({batch_size, 3, 12, 12}, DType::f32, Layout::channels_last)}}};
    for (int n = 0; n < batch_size; ++n) {
      Random random(5, static_cast<std::uint64_t>(number * batch_size + n));
      for (int y = 0; y < 6; ++y)
        for (int x = 0; x < 6; ++x)
          for (int c = 0; c < 3; ++c) {
            const auto v = static_cast<float>(random.uniform());
            b.input().data<float>()[((n * 6 + y) * 6 + x) * 3 + c] = v;
            for (int k = 0; k < 4; ++k) b.target().data<float>()[((n * 12 + 2 * y + k / 2) * 12 + 2 * x + k % 2) * 3 + c] = v;
          }
    }
    return b;
  }
};

struct Run {
  fs::path out;
  std::string train;
  Blocks source = {};
  std::vector<double> scores = {};  // of the validations, in order; 0 behind the last
  std::int64_t steps = 0, validations = 0;

  bool go(std::int64_t stop_after = 1 << 30, bool resume = false) {
    const Yaml recipe =
        Yaml::parse("fovea: 1\nmodel:\n  head: {type: a2n_light, scale: 2, width: 8, blocks: 1}\ntrain:\n" + train, "r");
    const TrainOptions options = read_train_options(recipe.at("train"), {});
    Trainer trainer(Model::from_recipe(recipe.str(), 1), options, out);
    if (resume) trainer.resume();
    std::atomic<bool> stop{false};
    steps = 0;
    const auto loss = [&](const Model& m, const Batch& batch) {
      if (++steps == stop_after * options.accumulate) stop = true;
      return mse_loss(m.forward(Var(batch.input())), Var(batch.target()));
    };
    const auto validate = [&](const Model&) {
      const auto i = static_cast<std::size_t>(validations++);
      return Validation{i < scores.size() ? scores[i] : 0.0, {}};
    };
    return trainer.run(
        source, loss, validate, [](const Trainer::Progress&) {}, stop);
  }
  std::map<std::string, Tensor> weights() const { return read_safetensors(out / "last.safetensors").tensors; }
};

double largest_difference(const std::map<std::string, Tensor>& a, const std::map<std::string, Tensor>& b) {
  double most = 0;
  REQUIRE(a.size() == b.size());
  for (const auto& [name, value] : a) {
    const auto x = value.values(), y = b.at(name).values();
    for (std::size_t i = 0; i < x.size(); ++i) most = std::max(most, std::abs(x[i] - y[i]));
  }
  return most;
}

}  // namespace

TEST_CASE("accumulation: two batches of two make the step of one batch of four") {
  const test::Folder folder;
  const std::string common = "  steps: 6\n  threads: 1\n  optimizer: {type: sgd, lr: 0.05, momentum: 0.9}\n";
  Run whole{folder / "whole", common}, halves{folder / "halves", common + "  accumulate: 2\n"};
  halves.source.batch_size = 2;
  CHECK((whole.go() && halves.go()));
  CHECK((whole.steps == 6 && halves.steps == 12));
  CHECK(largest_difference(whole.weights(), halves.weights()) < 1e-5);
  Run other{folder / "other", common};
  other.source.batch_size = 2;
  CHECK(other.go());
  CHECK(largest_difference(whole.weights(), other.weights()) > 1e-4);  // the test can tell
}

TEST_CASE("early stopping: after so many validations without a better score, for good") {
  const test::Folder folder;
  Run run{folder / "run", "  steps: 100\n  threads: 1\n  validate_every: 3\n  patience: 2\n"};
  run.scores = {0.5, 0.4, 0.6, 0.6, 0.5};  // the second 0.6 is no better
  CHECK(run.go());
  CHECK(run.validations == 5);
  CHECK(run.steps == 15);
  CHECK(Model::load((run.out / "best.safetensors").string()).metadata().at("fovea.step") == "12");
  const auto before = read_file(run.out / "last.safetensors");
  CHECK(run.go(1 << 30, true));
  CHECK(run.steps == 0);
  CHECK(read_file(run.out / "last.safetensors") == before);

  // Stopped in between, the patience so far is remembered.
  Run torn{folder / "torn", run.train};
  torn.scores = run.scores;
  CHECK(!torn.go(13));
  CHECK(torn.go(1 << 30, true));
  CHECK((torn.validations == 5 && torn.steps == 2));
}

TEST_CASE("freezing: what is named stays, the rest learns; names that match nothing are errors") {
  const test::Folder folder;
  const std::string common = "  steps: 3\n  threads: 1\n  optimizer: {type: adamw, lr: 0.01, weight_decay: 0.1}\n";
  Run run{folder / "run", common + "  freeze: [\"conv_first.*\"]\n"};
  CHECK(run.go());
  const auto start =
      Model::from_recipe("fovea: 1\nmodel:\n  head: {type: a2n_light, scale: 2, width: 8, blocks: 1}\n", 1).params()->values();
  int moved = 0;
  for (const auto& [name, value] : run.weights()) {
    if (name.rfind("model.", 0) != 0) continue;
    const bool same = value.values() == start.at(name.substr(6)).values();
    if (name.rfind("model.conv_first.", 0) == 0) CHECK(same);
    else moved += !same;
  }
  CHECK(moved > 0);
  CHECK(run.weights().count("optimizer.conv_first.weight.m") == 0);
  Run none{folder / "none", common + "  freeze: [\"conv_frist.*\"]\n"}, all{folder / "all", common + "  freeze: [\"**\"]\n"};
  CHECK(test::fails_with([&] { none.go(); }, "'conv_frist.*' matches no parameter"));
  CHECK(test::fails_with([&] { all.go(); }, "everything is frozen"));
}

TEST_CASE("accumulation, rates by part, freezing and decay rules resume bit for bit") {
  const test::Folder folder;
  const std::string train =
      "  steps: 14\n  threads: 1\n  accumulate: 3\n  ema: 0.9\n  clip: 1\n  checkpoint_every: 4\n  validate_every: 5\n"
      "  freeze: \"conv_first.bias\"\n  schedule: {type: cosine, warmup: 3}\n"
      "  optimizer:\n    type: adamw\n    lr: 0.01\n    weight_decay: 0.1\n    layer_decay: 0.9\n    no_decay: "
      "[\"**.conv_first.*\", \"conv_first.*\"]\n"
      "    lr_scale: {\"conv_first.*\": 0.3}\n";
  Run calm{folder / "calm", train}, torn{folder / "torn", train};
  CHECK(calm.go());
  CHECK(!torn.go(3));
  CHECK(!torn.go(1, true));
  CHECK(!torn.go(6, true));
  CHECK(torn.go(1 << 30, true));
  CHECK(largest_difference(calm.weights(), torn.weights()) == 0);
  CHECK(read_safetensors(calm.out / "last.safetensors").metadata == read_safetensors(torn.out / "last.safetensors").metadata);
}

TEST_CASE("fine-tuning says what was taken and what starts afresh") {
  const test::Folder folder;
  const auto recipe = [](int width) {
    return "fovea: 1\nmodel:\n  head: {type: a2n_light, scale: 2, width: " + std::to_string(width) + ", blocks: 1}\n";
  };
  Model::from_recipe(recipe(8)).save(folder / "w.safetensors");
  const auto taken = [&](int width) {
    TrainOptions o;
    o.weights = (folder / "w.safetensors").string();
    return Trainer(Model::from_recipe(recipe(width)), o, folder / "run").taken();
  };
  CHECK(taken(8).find("afresh") == std::string::npos);
  CHECK(taken(16).find("start afresh (conv_first.weight") != std::string::npos);
  TrainOptions plain;
  CHECK(Trainer(Model::from_recipe(recipe(8)), plain, folder / "run").taken().empty());
}

TEST_CASE("train options: parts") {
  const auto read = [](const std::string& text) { return read_train_options(Yaml::parse(text, "r"), {}); };
  const TrainOptions o = read(
      "accumulate: 4\npatience: 3\nfreeze: backbone.**\noptimizer: {layer_decay: 0.7, no_decay: [\"a.*\"], lr_scale: {\"b.**\": "
      "0.1, \"c\": 0}}");
  CHECK((o.accumulate == 4 && o.patience == 3 && o.freeze == std::vector<std::string>{"backbone.**"}));
  CHECK((o.optimizer.layer_decay == 0.7 && !o.optimizer.decay_vectors && o.optimizer.no_decay.size() == 1));
  CHECK(o.optimizer.lr_scale == std::vector<std::pair<std::string, double>>{{"b.**", 0.1}, {"c", 0}});
  CHECK(read("optimizer: {decay_vectors: true}").optimizer.decay_vectors);
  for (const char* bad : {"accumulate: 0", "patience: -1", "optimizer: {lr_scale: {a: x}}", "optimizer: {lr_scale: {a: [1]}}"})
    CHECK(test::fails_with([&] { read(bad); }, "r:1"));
}
