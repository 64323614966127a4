// A task of a program's own, in one file: how bright a picture is. It is trained, measured, run over a folder with resume and quarantine,
// explained and reported through the public interface, and nothing of the library knows it.
#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "datasets/image.hpp"
#include "datasets/photos.hpp"
#include "datasets/preprocess.hpp"
#include "modules/io/files.hpp"
#include "modules/nn/head.hpp"
#include "modules/nn/losses.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/global_pool.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/reshape.hpp"
#include "pipeline/explain_operation.hpp"
#include "pipeline/process.hpp"
#include "pipeline/sinks/progress.hpp"
#include "pipeline/stages/infer.hpp"
#include "pipeline/stages/load.hpp"
#include "pipeline/stages/save.hpp"
#include "pipeline/task.hpp"
#include "pipeline/train_run.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"

namespace fovea {
namespace {

namespace fs = std::filesystem;
using test::fails_with;

constexpr Key<double> kBrightness{"brightness"};

double brightness_of(const cv::Mat& bgr) {
  const cv::Scalar mean = cv::mean(bgr);
  return (mean[0] + mean[1] + mean[2]) / (3 * 255);
}

// The head: one number for a picture.
class BrightnessHead final : public MapHead {
 public:
  BrightnessHead(const Scope& s, std::int64_t channels)
      : MapHead(s, {"brightness", {}, {{"value", "a number", {OutputAxis::batch(), OutputAxis::constant(1)}}}}),
        fc_(s / "fc", {.in = channels, .out = 1}) {}

 protected:
  Var forward(const Var& x) const override { return fc_(reshape(global_avg_pool(x), {x.dim(0), x.dim(1)})); }

 private:
  Linear fc_;
};

FOVEA_HEAD(brightness, "how bright the picture is", "a test") {
  return std::make_unique<BrightnessHead>(scope, features.back().channels);
}

class Pictures final : public BatchSource {
 public:
  Pictures(Photos photos, Preprocess p) : photos_(std::move(photos)), preprocess_(std::move(p)) {}
  Batch batch(std::int64_t number) const override {
    constexpr std::int64_t kBatch = 4;
    Batch b{{{"image", Tensor::empty({kBatch, 3, preprocess_.height, preprocess_.width}, DType::f32, Layout::channels_last)}},
            {{"value", Tensor::empty({kBatch, 1})}}};
    for (std::int64_t i = 0; i < kBatch; ++i) {
      const cv::Mat picture = photos_.image(static_cast<std::size_t>(number * kBatch + i) % photos_.size());
      preprocess_into(b.input(), i, picture, preprocess_);
      b.target().data<float>()[i] = static_cast<float>(brightness_of(picture));
    }
    return b;
  }

 private:
  Photos photos_;
  Preprocess preprocess_;
};

class BrightnessEvaluator final : public Evaluator {
 public:
  std::string data_text() const override { return "folders of pictures"; }
  void open(const Model& model, const std::vector<fs::path>& data, DType) override {
    model_ = model;
    photos_.emplace(unlabelled(data));
  }
  std::string title() const override { return model_.name(); }
  std::int64_t batches() const override { return static_cast<std::int64_t>(photos_->size()); }
  void add(std::int64_t batch) override {
    const cv::Mat picture = photos_->image(static_cast<std::size_t>(batch));
    const double got = model_.run(preprocess(picture, model_.preprocess()).tensor).item();
    error_ += std::abs(got - brightness_of(picture)) / static_cast<double>(photos_->size());
  }
  double score() const override { return -error_; }
  std::string table() const override { return fmt::format("mean error {:.4f}\n", error_); }
  nlohmann::ordered_json json() const override { return {{"mean_error", error_}}; }

 private:
  Model model_;
  std::optional<Photos> photos_;
  double error_ = 0;
};

class Decode final : public Stage {
 public:
  std::string_view name() const override { return "decode"; }
  Contract contract() const override { return Contract().needs(kResult).gives(kBrightness).drops(kResult); }
  void process(std::span<Frame> frames) override {
    for (Frame& f : frames) f.results.put(kBrightness, f.results.get(kResult).outputs.at("value").item());
  }
};

class Save final : public Stage {
 public:
  std::string_view name() const override { return "save"; }
  Contract contract() const override { return Contract().needs(kBrightness); }
  void process(std::span<Frame> frames) override {
    for (Frame& f : frames) {
      const std::string text = fmt::format("{{\"brightness\": {:.6f}}}\n", f.results.get(kBrightness));
      write_output(f.output, [&] { write_file_atomically(f.output, text.data(), text.size()); });
    }
  }
};

class Measure final : public Operation {
 public:
  void open(Model model, const Run&) override { model_ = std::move(model); }
  const Model& model() const override { return model_; }
  nlohmann::json settings() const override { return {{"command", "brightness"}}; }
  std::vector<StageSpec> stages(const Jobs& jobs) override {
    std::vector<StageSpec> stages;
    stages.push_back({std::make_unique<LoadImage>(), jobs.load, 1});
    stages.push_back({std::make_unique<Preprocessing>(model_.preprocess()), jobs.load, 1});
    stages.push_back({std::make_unique<Infer>(model_, Model::RunOptions{}), jobs.process, jobs.threads});
    stages.push_back({std::make_unique<Decode>(), 1, 1});
    return stages;
  }
  std::vector<StageSpec> save_stages(const Jobs&) override {
    std::vector<StageSpec> stages;
    stages.push_back({std::make_unique<Save>(), 1, 1});
    return stages;
  }
  bool answers_in_text() const override { return true; }
  std::string text(const Frame& f) const override { return fmt::format("{} {:.3f}\n", f.source, f.results.get(kBrightness)); }
  ReportParts report() const override { return {.title = "Brightness"}; }
  std::string article(const fs::path&, const Record& r) const override { return "<article>" + r.output + "</article>\n"; }
  std::string done_text() const override { return "measured"; }

 private:
  Model model_;
};

class BrightnessTask final : public Task {
 public:
  std::string name() const override { return "brightness"; }
  std::string text() const override { return "Say how bright pictures are"; }
  TrainJob training(const Yaml& recipe, const Model& model, const fs::path& root, TrainOptions& options) const override {
    const Yaml& train = recipe.at("train");
    options = read_train_options(train, {"data"});
    const fs::path data = root / train.at("data").scalar();
    TrainJob job;
    job.source = std::make_unique<Pictures>(Photos(unlabelled({data})), model.preprocess());
    job.loss = [](const NamedVars& outputs, const Batch& b) { return mse_loss(outputs.at("value"), Var(b.targets.at("value"))); };
    job.validate = [data](const Model& m) {
      BrightnessEvaluator evaluator;
      evaluator.open(m, {data}, DType::f32);
      for (std::int64_t i = 0; i < evaluator.batches(); ++i) evaluator.add(i);
      return Validation{evaluator.score(), evaluator.json()};
    };
    return job;
  }
  std::unique_ptr<Evaluator> evaluator() const override { return std::make_unique<BrightnessEvaluator>(); }
  std::unique_ptr<Operation> operation() const override { return std::make_unique<Measure>(); }
  ScoreOf score(const Model&, const std::string&, int) const override {
    return [](const Tensor& output) {
      const auto value = [](const Var& y) { return reshape(y, {y.dim(0)}); };
      return ExplainedScore{value, value, {{"brightness", output.item()}}};
    };
  }
};

FOVEA_TASK(brightness) { return std::make_unique<BrightnessTask>(); }

constexpr const char* kRecipe =
    "fovea: 1\nmodel:\n  backbone: {type: resnet, layers: [1], widths: [4], stem: cifar}\n  head: {type: brightness}\n"
    "preprocess: {size: 16, mean: 0.5, std: 0.5}\n"
    "train:\n  task: brightness\n  data: pictures\n  steps: 60\n  log_every: 60\n  validate_every: 60\n  optimizer: {type: adam, "
    "lr: 0.01}\n";

void write_picture(const fs::path& file, double grey) {
  Image image;
  image.pixels = cv::Mat(16, 16, CV_8UC3, cv::Scalar::all(grey));
  const auto bytes = encode_image(image, "png");
  fs::create_directories(file.parent_path());
  write_file_atomically(file, bytes.data(), bytes.size());
}

std::string text_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

// Known to the library from the first test on, as a program would do at its start.
void extend_once() {
  static const bool done = [] {
    Registry::extend(register_brightness);
    TaskRegistry::extend(register_task_brightness);
    return true;
  }();
  CHECK(done);
}

Model trained(const fs::path& folder) {
  for (int i = 0; i < 8; ++i) write_picture(folder / ("pictures/" + std::to_string(i) + ".png"), 30.0 * i);
  std::atomic<bool> stop{false};
  CHECK(train(Yaml::parse(kRecipe, "recipe"), {folder, folder / "run"}, stop));
  return Model::load((folder / "run/best.safetensors").string());
}

}  // namespace

TEST_CASE("a task of a program's own is trained, measured, run, explained and reported", "[pipeline]") {
  extend_once();
  const test::Folder folder;
  const Model model = trained(folder.path());
  const Task& task = task_of(model);
  CHECK(task.name() == "brightness");

  const auto evaluator = task.evaluator();
  evaluator->open(model, {folder / "pictures"}, DType::f32);
  for (std::int64_t i = 0; i < evaluator->batches(); ++i) evaluator->add(i);
  CHECK(evaluator->score() > -0.1);  // grey pictures from 0 to 0.82: guessing their mean errs by 0.24
  CHECK(evaluator->table().find("mean error") == 0);

  std::ofstream(folder / "pictures/broken.png") << "no picture";
  const auto run = [&] {
    const auto operation = task.operation();
    Process process(*operation, {.inputs = {(folder / "pictures").string()}, .out = folder / "out", .report = true}, model);
    return process.run(*make_progress(ProgressKind::quiet));
  };
  const FileRunResult first = run();
  CHECK((first.done == 8 && first.quarantined == 1));
  CHECK(first.exit_code() == kExitQuarantined);
  CHECK(text_of(folder / "out/3.png.json").find("\"brightness\": 0.") == 1);
  CHECK(text_of(folder / "out/report.html").find("<article>3.png.json</article>") != std::string::npos);
  const FileRunResult second = run();
  CHECK((second.done == 0 && second.up_to_date == 8 && second.quarantined == 1));

  const auto operation = task.operation();
  std::ostringstream answers, refused;
  Process process(*operation, {.inputs = {(folder / "pictures").string()}}, model);
  CHECK(process.print_answers(answers, refused, false) == kExitQuarantined);
  CHECK(answers.str().find("0.png") < answers.str().find("7.png"));
  CHECK(refused.str().find("broken.png") != std::string::npos);

  const auto explain = explain_operation();
  OptionList options;
  explain->add_options(options);
  options.set("method", "occlusion");
  options.set("faithfulness", "true");
  Process explaining(*explain, {.inputs = {(folder / "pictures/7.png").string()}, .out = folder / "why"}, model);
  const FileRunResult explained = explaining.run(*make_progress(ProgressKind::quiet));
  INFO(text_of(folder / "why/fovea-ledger.jsonl"));
  CHECK(explained.done == 1);
  CHECK(text_of(folder / "why/7.png.json").find("\"brightness\"") != std::string::npos);
  CHECK(text_of(folder / "why/report.html").find("Fovea explain") != std::string::npos);
}

TEST_CASE("tasks: an unknown one is named with its nearest, a task without a score explains attention only", "[pipeline]") {
  CHECK(fails_with([] { TaskRegistry::global().at("clasify"); }, "did you mean 'classify'?"));
  Yaml recipe = Yaml::parse(
      "fovea: 1\nmodel:\n  head: {type: a2n_light, scale: 2, width: 8, blocks: 1}\ntrain: {task: enlarge}\n", "r.yaml");
  std::atomic<bool> stop{false};
  CHECK(fails_with([&] { train(recipe, {}, stop); }, "no task is called 'enlarge'"));
}

namespace {

// Files with a number of lines, each an input of its own; and groups of files, one input each. Answers: the text, doubled, and its length.
class Lines final : public Operation {
 public:
  explicit Lines(bool grouped) : grouped_(grouped) {}
  void open(Model model, const Run&) override { model_ = std::move(model); }
  const Model& model() const override { return model_; }
  nlohmann::json settings() const override { return {{"command", "lines"}}; }
  InputMapping mapping() const override {
    InputMapping m;
    if (grouped_) m.group = [](const Input& input) { return input.file.stem().string().substr(0, 1); };
    else m.parts = [](const Input& input) { return parts_of(input); };
    return m;
  }
  std::vector<StageSpec> stages(const Jobs&) override {
    class Read final : public Stage {
     public:
      std::string_view name() const override { return "read"; }
      Contract contract() const override { return {}; }
      void process(std::span<Frame> frames) override {
        for (Frame& f : frames) {
          std::string text;
          for (const fs::path& file : f.members.empty() ? std::vector<fs::path>{f.input} : f.members) text += text_of(file);
          std::istringstream lines(text);
          std::string line = text;
          if (!f.part.empty())
            for (int i = 0; i <= std::stoi(f.part.substr(4)); ++i) std::getline(lines, line);
          f.results.put(Key<std::string>{"line"}, line);
        }
      }
    };
    std::vector<StageSpec> stages;
    stages.push_back({std::make_unique<Read>(), 1, 1});
    return stages;
  }
  std::vector<StageSpec> save_stages(const Jobs&) override {
    class Write final : public Stage {
     public:
      std::string_view name() const override { return "write"; }
      Contract contract() const override { return {}; }
      void process(std::span<Frame> frames) override {
        for (Frame& f : frames) {
          const std::string line = f.results.get(Key<std::string>{"line"}), twice = line + line;
          const fs::path size = f.output.string() + ".size";
          const std::string length = std::to_string(line.size());
          write_output(size, [&] { write_file_atomically(size, length.data(), length.size()); });
          f.written.push_back(size);
          write_output(f.output, [&] { write_file_atomically(f.output, twice.data(), twice.size()); });
        }
      }
    };
    std::vector<StageSpec> stages;
    stages.push_back({std::make_unique<Write>(), 1, 1});
    return stages;
  }
  ReportParts report() const override { return {.title = "Lines"}; }
  std::string article(const fs::path&, const Record&) const override { return {}; }
  std::string done_text() const override { return "doubled"; }

 private:
  static std::vector<Input> parts_of(const Input& whole) {
    std::ifstream in(whole.file);
    std::vector<Input> parts;
    for (std::string line; std::getline(in, line);) {
      parts.push_back(whole);
      parts.back().part = "line" + std::to_string(parts.size() - 1);
      parts.back().source += " line " + std::to_string(parts.size() - 1);
    }
    check(!parts.empty(), "the file is empty");
    return parts;
  }

  bool grouped_;
  Model model_;
};

FileRunResult run_lines(const fs::path& folder, bool grouped) {
  Lines lines(grouped);
  const Model model = Model::from_recipe("fovea: 1\nmodel: {head: {type: a2n_light, scale: 2, width: 8, blocks: 1}}\n");
  Process process(lines, {.inputs = {(folder / "in").string()}, .out = folder / "out"}, model);
  return process.run(*make_progress(ProgressKind::quiet));
}

}  // namespace

TEST_CASE("parts of a file are inputs of their own: keyed in the ledger, resumed, quarantined", "[pipeline]") {
  const test::Folder folder;
  fs::create_directories(folder / "in");
  std::ofstream(folder / "in/a.png") << "one\ntwo\nthree\n";
  std::ofstream(folder / "in/b.png");
  const FileRunResult first = run_lines(folder.path(), false);
  CHECK((first.total == 4 && first.done == 3 && first.quarantined == 1));
  CHECK(text_of(folder / "out/a.png.line1.json") == "twotwo");
  CHECK(text_of(folder / "out/a.png.line2.json.size") == "5");
  fs::remove(folder / "out/a.png.line1.json.size");  // one of several files of one answer: that part is done again
  const FileRunResult second = run_lines(folder.path(), false);
  CHECK((second.done == 1 && second.up_to_date == 2));
}

TEST_CASE("a group of files is one input: done again when one of them changes", "[pipeline]") {
  const test::Folder folder;
  fs::create_directories(folder / "in");
  for (const char* name : {"a1", "a2", "b1"}) std::ofstream(folder / "in" / (std::string(name) + ".png")) << name;
  const FileRunResult first = run_lines(folder.path(), true);
  CHECK((first.total == 2 && first.done == 2));
  CHECK(text_of(folder / "out/a.json") == "a1a2a1a2");
  CHECK(run_lines(folder.path(), true).up_to_date == 2);
  std::ofstream(folder / "in/a2.png") << "longer";
  const FileRunResult third = run_lines(folder.path(), true);
  CHECK((third.done == 1 && third.up_to_date == 1));
  CHECK(text_of(folder / "out/a.json") == "a1longera1longer");
}

}  // namespace fovea
