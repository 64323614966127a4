// Whose folder it is: a training goes on only as itself, and nothing is overwritten or joined unasked.
#include "pipeline/train_run.hpp"

#include <cmath>
#include <fstream>

#include "datasets/image.hpp"
#include "modules/io/files.hpp"
#include "modules/io/safetensors.hpp"
#include "pipeline/sinks/folder_lock.hpp"
#include "pipeline/train_identity.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/images.hpp"
#include "tests/support/unheard.hpp"

using namespace fovea;
using test::fails_with;
namespace fs = std::filesystem;

namespace {

constexpr const char* kUpscale =
    "fovea: 1\nmodel:\n  head: {type: a2n_light, scale: 2, width: 8, blocks: 1}\n"
    "train:\n  task: upscale\n  data: [pictures]\n  validate: [held]\n  patch: 12\n  batch: 2\n  steps: 8\n  threads: 1\n"
    "  validate_every: 4\n  checkpoint_every: 2\n  log_every: 2\n";
constexpr const char* kClassify =
    "fovea: 1\nmodel:\n  backbone: {type: resnet, layers: [1], widths: [4], stem: cifar}\n  head: {type: classify}\n"
    "preprocess: {size: 16}\ntrain:\n  task: classify\n  data: table.csv\n  validate_share: 0.25\n  batch: 2\n  steps: 4\n  "
    "threads: 1\n  "
    "log_every: 2\n";

void write_picture(const fs::path& file, const cv::Mat& pixels) {
  const auto bytes = encode_image({pixels, false, {}}, "png");
  fs::create_directories(file.parent_path());
  write_file_atomically(file, bytes.data(), bytes.size());
}

std::vector<nlohmann::json> log_of(const fs::path& folder) {
  std::ifstream file(folder / "log.jsonl");
  std::vector<nlohmann::json> records;
  for (std::string line; std::getline(file, line);) records.push_back(nlohmann::json::parse(line));
  return records;
}

// Pictures, and trainings with them.
struct Place {
  test::Folder folder;
  std::string recipe = kUpscale;
  std::string warnings = {};

  Place() {
    for (int i = 0; i < 4; ++i) picture("pictures/" + std::to_string(i) + ".png", 10 + i);
    picture("held/h.png", 30);
  }
  void picture(const std::string& name, int seed) const {
    write_picture(folder / name, test::noise(48, 40, CV_8UC3, static_cast<std::uint64_t>(seed)));
  }
  fs::path out() const { return folder / "run"; }
  bool go(Start start, std::int64_t stop_after = 1 << 30, const std::vector<std::string>& changes = {}) {
    Yaml y = Yaml::parse(recipe, "recipe.yaml");
    for (const std::string& c : changes) y.set(c.substr(0, c.find('=')), c.substr(c.find('=') + 1));
    std::atomic<bool> stop{false};
    TrainRun run{folder.path(), out(), start};
    warnings.clear();
    run.warn = [&](const std::string& text) { warnings += text + "\n"; };
    run.progress = [&](const Trainer::Progress& p) { stop = stop || p.step >= stop_after; };
    return train(y, run, stop);
  }
  std::string refusal(Start start, const std::vector<std::string>& changes = {}) {
    return test::message_of([&] { go(start, 1 << 30, changes); });
  }
};

bool has(const std::string& text, const std::string& part) {
  INFO(text);
  const bool found = text.find(part) != std::string::npos;
  CHECK(found);
  return found;
}

}  // namespace

TEST_CASE("train: a used folder is refused, gone on with, or begun again, as asked", "[pipeline]") {
  Place place;
  CHECK(has(place.refusal(Start::resume), "there is no training to go on with"));
  CHECK(!fs::exists(place.out()));
  CHECK(place.go(Start::fresh));
  const auto best = read_file(place.out() / "best.safetensors"), log = read_file(place.out() / "log.jsonl");
  CHECK(has(place.refusal(Start::fresh), "holds another training; go on with it (--resume)"));
  CHECK(read_file(place.out() / "best.safetensors") == best);
  CHECK(read_file(place.out() / "log.jsonl") == log);

  std::ofstream(place.out() / "notes.txt") << "mine";
  CHECK(place.go(Start::overwrite, 1 << 30, {"train.steps=4"}));
  CHECK(log_of(place.out()).back().at("step") == 4);
  CHECK(log_of(place.out()).front().at("step") == 2);
  CHECK(fs::exists(place.out() / "notes.txt"));
  // Weights to start from may lie in the folder itself.
  CHECK(place.go(Start::overwrite, 1 << 30, {"train.weights=" + (place.out() / "best.safetensors").string()}));
}

TEST_CASE("train: resuming with pictures that came, went or changed is refused by their names", "[pipeline]") {
  Place place;
  CHECK(!place.go(Start::fresh, 4));
  const auto before = read_file(place.out() / "last.safetensors");
  place.picture("pictures/new.png", 50);
  CHECK(has(place.refusal(Start::resume), "the data: 1 file (pictures/new.png) came"));
  fs::remove(place.folder / "pictures/new.png");
  fs::rename(place.folder / "pictures/1.png", place.folder / "away.png");
  CHECK(has(place.refusal(Start::resume), "the data: 1 file (pictures/1.png) went"));
  fs::rename(place.folder / "away.png", place.folder / "pictures/1.png");
  auto bytes = read_file(place.folder / "held/h.png");
  place.picture("held/h.png", 31);
  CHECK(has(place.refusal(Start::resume), "the data: 1 file (held/h.png) changed"));
  write_file_atomically(place.folder / "held/h.png", bytes.data(), bytes.size());
  CHECK(has(place.refusal(Start::resume, {"train.patch=10"}), "the recipe: train.patch was 12, is 10"));
  CHECK(read_file(place.out() / "last.safetensors") == before);
  CHECK(place.go(Start::resume, 1 << 30, {"train.log_every=1", "train.loaders=2"}));
  CHECK(place.warnings.empty());
}

TEST_CASE("train: resumed, it ends as it would have, also for longer and with degraded patches", "[pipeline]") {
  Place calm, torn;
  const std::vector<std::string> degrade{
      "train.degrade={blur: [0.2, 2], resize: [area, bilinear, bicubic], noise: [0, 10], poisson: [0, 10], jpeg: [30, 100]}"};
  auto longer = degrade;
  longer.push_back("train.steps=12");
  CHECK(calm.go(Start::fresh, 1 << 30, longer));
  CHECK(!torn.go(Start::fresh, 4, degrade));
  CHECK(torn.go(Start::resume, 1 << 30, degrade));
  CHECK(torn.go(Start::resume, 1 << 30, longer));
  CHECK(has(torn.warnings, "ends at step 12 instead of 8"));
  const auto a = read_safetensors(calm.out() / "last.safetensors").tensors,
             b = read_safetensors(torn.out() / "last.safetensors").tensors;
  for (const auto& [name, value] : a) CHECK(b.at(name).values() == value.values());
  CHECK(fails_with([&] { torn.go(Start::overwrite, 1, {"train.degrade={blurr: [1, 2]}"}); }, "blurr"));
  CHECK(fs::exists(torn.out() / "last.safetensors"));  // a wrong recipe removes nothing
}

TEST_CASE("train: a table's labels and a held-out share are part of the data", "[pipeline]") {
  Place place;
  place.recipe = kClassify;
  const auto write_table = [&](const std::string& last) {
    std::ofstream table(place.folder / "table.csv");
    table << "path,label\n";
    for (int i = 0; i < 8; ++i) {
      place.picture("all/" + std::to_string(i) + ".png", i);
      table << "all/" << i << ".png," << (i == 7 ? last : i % 2 ? "odd" : "even") << "\n";
    }
  };
  write_table("odd");
  CHECK(!place.go(Start::fresh, 2));
  write_table("even");
  CHECK(has(place.refusal(Start::resume), "the data: 1 file (all/7.png) got another label"));
  write_table("odd");
  CHECK(has(place.refusal(Start::resume, {"train.validate_share=0.5"}), "train.validate_share was 0.25, is 0.5"));
  CHECK(place.go(Start::resume, 1 << 30, {"train.memory_mb=1"}));
  bool accuracy = false;
  for (const auto& r : log_of(place.out())) accuracy = accuracy || (r.contains("accuracy") && r.at("accuracy") <= 1);
  CHECK(accuracy);  // the training's own
}

TEST_CASE("train: two trainings never share a folder, and what a killed one left without a checkpoint is begun again",
          "[pipeline]") {
  Place place;
  fs::create_directories(place.out());
  {
    const FolderLock lock(place.out(), test::unheard);
    CHECK_THROWS_AS(place.go(Start::fresh), FolderBusy);
    CHECK_THROWS_AS(place.go(Start::overwrite), FolderBusy);
  }
  CHECK(!place.go(Start::fresh, 2));
  fs::remove(place.out() / "last.safetensors");
  CHECK(place.go(Start::resume));
  std::int64_t before = 0;
  for (const auto& r : log_of(place.out())) {
    CHECK(r.at("step").get<std::int64_t>() >= before);
    before = r.at("step");
  }
  fs::remove(place.out() / "training.json");  // of an older version
  CHECK(place.go(Start::resume));
  CHECK(has(place.warnings, "cannot be checked"));
}

TEST_CASE("train: a flat validation picture leaves scores finite, comparable and resumable", "[pipeline]") {
  Place place;
  fs::remove(place.folder / "held/h.png");
  write_picture(place.folder / "held/flat.png", cv::Mat(40, 48, CV_8UC3, cv::Scalar::all(90)));
  // A network that enlarges bilinearly and adds nothing, and a rate that leaves it so: what is flat it meets exactly.
  const Model model = Model::from_recipe(kUpscale);
  std::map<std::string, Tensor> nothing;
  for (const char* name : {"tail.weight", "tail.bias"}) nothing[name] = Tensor::zeros(model.params()->values().at(name).shape());
  model.params()->load(nothing, false);
  model.save(place.folder / "start.safetensors");
  const std::vector<std::string> still{"train.optimizer.lr=1e-30",
                                       "train.weights=" + (place.folder / "start.safetensors").string()};
  CHECK(!place.go(Start::fresh, 4, still));
  CHECK(place.go(Start::resume, 1 << 30, still));
  int validations = 0;
  for (const auto& r : log_of(place.out())) {
    if (!r.contains("score")) continue;
    ++validations;
    CHECK(r.at("score").get<double>() == 100);
    CHECK(r.at("psnr_y").at("held").get<double>() == 100);
  }
  CHECK(validations >= 2);
  CHECK(Model::load((place.out() / "best.safetensors").string()).metadata().at("fovea.step") == "8");
}

TEST_CASE("identity: code, precision, models and the order of files count, and survive their file", "[pipeline]") {
  const test::Folder folder;
  TrainIdentity one{"0.1.0 (1)",
                    "train: {steps: 5, log_every: 1}\n",
                    "f32",
                    {{"a.png", "", 3, "x"}, {"b\xC3\xA9.png", "cat", 4, "y"}},
                    {{"teacher", "t"}}};
  write_identity(folder.path(), one);
  const auto read = read_identity(folder.path());
  REQUIRE(read.has_value());
  CHECK(differences(*read, one, false).empty());
  CHECK(read->data_key() == one.data_key());
  TrainIdentity other = one;
  other.recipe = "train: {steps: 6, log_every: 2}\n";
  CHECK(differences(one, other, true).empty());
  CHECK(differences(one, other, false) == std::vector<std::string>{"the recipe: train.steps was 5, is 6"});
  other = one;
  other.code = "0.2.0 (1)", other.precision = "bf16", other.models[0].second = "u";
  std::swap(other.files[0], other.files[1]);
  const auto all = differences(one, other, true);
  REQUIRE(all.size() == 4);
  CHECK(all[0] == "the code: fovea 0.1.0 (1) then, 0.2.0 (1) now");
  CHECK(has(all[2], "another order"));
  CHECK(has(all[3], "`teacher`"));
  CHECK(other.data_key() != one.data_key());
  std::ofstream(folder / "training.json") << "{\"code\": 5";
  CHECK(!read_identity(folder.path()).has_value());
  std::ofstream(folder / "training.json")
      << "{\"code\": \"x\", \"recipe\": \"\", \"precision\": \"\", \"files\": [[1]], \"models\": []}";
  CHECK(!read_identity(folder.path()).has_value());
}
