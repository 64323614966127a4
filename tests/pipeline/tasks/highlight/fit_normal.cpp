// From normal pictures to a model, and from that to maps, scores and figures, as `fovea fit-normal`, `highlight` and `eval` do it.
#include <fstream>
#include <opencv2/imgproc.hpp>

#include "modules/io/json.hpp"
#include "modules/io/safetensors.hpp"
#include "modules/license.hpp"
#include "pipeline/errors.hpp"
#include "pipeline/process.hpp"
#include "pipeline/sinks/progress.hpp"
#include "pipeline/task.hpp"
#include "pipeline/train_run.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/images.hpp"
#include "tests/support/write_png.hpp"

using namespace fovea;
using namespace fovea::test;
namespace fs = std::filesystem;

namespace {

// Soft noise, never the same twice.
cv::Mat texture(std::uint64_t seed, int width = 128, int height = 96, int type = CV_8UC3) {
  cv::Mat m = noise(width, height, type, seed);
  cv::GaussianBlur(m, m, {}, 2);
  return m;
}

// Large beside what a feature of the backbone sees, some 100 pixels.
const cv::Size kLarge(384, 288);
const cv::Rect kPatch(200, 120, 24, 24);

cv::Mat with_patch(cv::Mat m) {
  m(kPatch).setTo(cv::Scalar::all(250));
  return m;
}

void write_textures(const fs::path& folder, int count, std::uint64_t seed = 1, cv::Size size = {128, 96}) {
  for (int i = 0; i < count; ++i)
    write_png(folder / ("t" + std::to_string(i) + ".png"),
              texture(seed + static_cast<std::uint64_t>(i), size.width, size.height));
}

// A backbone that takes no time: random weights see textures, too.
fs::path small_backbone(const Folder& folder) {
  const fs::path file = folder / "backbone.safetensors";
  Model::from_recipe(
      "fovea: 1\nlicense: {weights: MIT, data: 'research only: some'}\nmodel:\n  backbone: {type: resnet18, stem: cifar, layers: "
      "[1, 1, "
      "1], widths: [16, 16, 24]}\n  attention:\n    - {at: 'backbone.layer{2,3}.*.pre_add', type: cbam, reduction: 4}\n    - "
      "{at: "
      "'backbone.layer1.*.pre_add', type: se}\n  neck: {type: fpn, channels: 8}\n  head: {type: classify, classes: "
      "3}\npreprocess: "
      "{size: 64, mean: 0.5, std: 0.25}\n",
      3)
      .save(file);
  return file;
}

struct Fitted {
  bool finished = false;
  std::vector<BadFile> left_out;
  nlohmann::ordered_json told;
};

Fitted fit(const std::vector<std::string>& inputs, const fs::path& out, std::map<std::string, std::string> settings,
           bool stopped = false) {
  const auto commands = TaskRegistry::global().at("highlight").commands();
  const auto command = std::find_if(commands.begin(), commands.end(), [](const auto& c) { return c->name() == "fit-normal"; });
  REQUIRE(command != commands.end());
  OptionList options;
  (*command)->add_options(options);
  for (const std::string& input : inputs) options.set("INPUT", input);
  options.set("out", out.string());
  for (const auto& [name, value] : settings) options.set(name, value);
  const std::atomic<bool> stop = stopped;
  Fitted f;
  f.finished = (*command)->run(*make_progress(ProgressKind::quiet), stop);
  f.left_out = (*command)->left_out();
  if (f.finished) f.told = (*command)->json();
  return f;
}

JsonValue highlighted(const Model& model, const fs::path& picture, const fs::path& out) {
  const auto operation = task_of(model).operation();
  OptionList options;
  operation->add_options(options);
  Process process(*operation, {.inputs = {picture.string()}, .out = out}, model);
  process.run(*make_progress(ProgressKind::quiet));
  return read_json(out / (picture.filename().string() + ".json"));
}

std::vector<std::uint8_t> bytes_of(const fs::path& file) { return read_file(file); }

}  // namespace

TEST_CASE("fit-normal: a patch in a texture is found where it lies", "[pipeline]") {
  const Folder folder;
  write_textures(folder / "good", 8, 1, kLarge);
  write_textures(folder / "judge/normal", 6, 100, kLarge);
  for (int i = 0; i < 5; ++i)
    write_png(folder / ("judge/scratch/s" + std::to_string(i) + ".png"),
              with_patch(texture(200 + static_cast<std::uint64_t>(i), kLarge.width, kLarge.height)));
  const fs::path file = folder / "m.safetensors";
  const Fitted fitted = fit({(folder / "good").string()}, file, {{"vectors", "400"}});
  REQUIRE(fitted.finished);
  CHECK(fitted.told.at("pictures") == 8);
  CHECK(fitted.told.at("patches") == 8 * (384 / 8) * (288 / 8));
  CHECK(fitted.told.at("vectors") == 400);
  const Model model = Model::load(file.string());
  REQUIRE(model.classes() == std::vector<std::string>{"anomaly"});

  const JsonValue bad = highlighted(model, folder / "judge/scratch/s0.png", folder / "out");
  const JsonValue total = bad.at("classes").items().at(0);
  CHECK(total.at("score").number() >= 0.5);
  REQUIRE(total.at("regions").number() >= 1);
  // Features see it from some 50 pixels away.
  const auto box = bad.at("pictures").items().at(0).at("classes").items().at(0).at("regions").items().at(0).at("box").items();
  const cv::Rect found(box[0].whole<int>(), box[1].whole<int>(), box[2].whole<int>(), box[3].whole<int>());
  const cv::Rect around(kPatch.x - 64, kPatch.y - 64, kPatch.width + 128, kPatch.height + 128);
  CHECK((found & around) == found);
  CHECK((found & kPatch).area() >= kPatch.area() / 2);
  std::ifstream scores(folder / "out/scores.csv");
  std::string line;
  std::getline(scores, line);
  CHECK(line == "file,picture,class,score,deviations,regions");
  std::getline(scores, line);
  CHECK(line.find("\"s0.png\",1,anomaly,") == 0);
  const JsonValue good = highlighted(model, folder / "judge/normal/t0.png", folder / "out");
  CHECK(good.at("classes").items().at(0).at("deviations").number() < total.at("deviations").number());

  const auto evaluator = task_of(model).evaluator();
  evaluator->open(model, {folder / "judge"}, DType::f32);
  REQUIRE(evaluator->batches() == 11);
  for (std::int64_t i = 0; i < evaluator->batches(); ++i) evaluator->add(i);
  CHECK(evaluator->score() == 1);
  CHECK(evaluator->json().at("scores").at("anomalies").at(0).at("auroc_interval") == nlohmann::json{1.0, 1.0});
  CHECK(evaluator->json().at("scores").at("anomalies").at(0).at("found") == 1);
}

TEST_CASE("fit-normal: pixels are measured where there are masks", "[pipeline]") {
  const Folder folder;
  write_textures(folder / "good", 8, 1, kLarge);
  cv::Mat mask = cv::Mat::zeros(kLarge, CV_8U);
  mask(kPatch).setTo(255);
  write_png(folder / "judge/images/a.png", with_patch(texture(300, kLarge.width, kLarge.height)));
  write_png(folder / "judge/masks/anomaly/a.png", mask);
  REQUIRE(fit({(folder / "good").string()}, folder / "m.safetensors", {{"vectors", "300"}}).finished);
  const Model model = Model::load((folder / "m.safetensors").string());
  const auto evaluator = task_of(model).evaluator();
  evaluator->open(model, {folder / "judge"}, DType::f32);
  evaluator->add(0);
  CHECK(evaluator->json().at("classes").at(0).at("roc_auc").get<double>() > 0.95);
}

TEST_CASE("fit-normal: the same pictures and seed give the same bytes", "[pipeline]") {
  const Folder folder;
  const std::string backbone = small_backbone(folder).string();
  write_textures(folder / "good", 4);
  const auto made = [&](const std::string& name, const std::string& seed) {
    REQUIRE(fit({(folder / "good").string()}, folder / name,
                {{"backbone", backbone}, {"vectors", "50"}, {"patches", "150"}, {"seed", seed}})
                .finished);
    return bytes_of(folder / name);
  };
  const auto first = made("a.safetensors", "1");
  CHECK(made("b.safetensors", "1") == first);
  CHECK(made("c.safetensors", "2") != first);
}

TEST_CASE("fit-normal: the recipe keeps the backbone, its attention and its terms, and says what was seen", "[pipeline]") {
  const Folder folder;
  write_textures(folder / "good/patient-smith", 3);
  const fs::path file = folder / "m.safetensors";
  REQUIRE(fit({(folder / "good").string()}, file,
              {{"backbone", small_backbone(folder).string()},
               {"vectors", "20"},
               {"size", "64"},
               {"metadata", "data_license=CC0-1.0: ours"}})
              .finished);
  const Model model = Model::load(file.string());
  const std::string& recipe = model.recipe();
  CHECK(recipe.find("smith") == std::string::npos);
  CHECK(recipe.find(".png") == std::string::npos);
  const Yaml yaml = Yaml::parse(recipe, "recipe");
  CHECK(yaml.at("fitted").at("pictures").scalar() == "3");
  CHECK(yaml.at("fitted").at("content").scalar().size() == 16);
  CHECK(yaml.at("model").at("attention").items().size() == 2);
  CHECK_FALSE(yaml.at("model").has("neck"));
  CHECK(model.preprocess().resize == Preprocess::Resize::letterbox);
  CHECK(model.preprocess().height == 64);
  CHECK(model.preprocess().mean == std::vector<double>{0.5, 0.5, 0.5});
  CHECK(model.preprocess().stddev == std::vector<double>{0.25, 0.25, 0.25});
  const License license = license_of(model);
  CHECK(license.weights == "unknown; MIT");
  CHECK(license.data == "CC0-1.0: ours; research only: some");
  // Weights of the backbone are those that were given.
  const Model base = Model::load((folder / "backbone.safetensors").string());
  for (const auto& [name, value] : base.params()->values())
    if (name.starts_with("backbone.")) CHECK(model.params()->find(name)->value.value().values() == value.values());
  CHECK(fails_with(
      [&] {
        Yaml training = Yaml::parse(recipe + "train: {task: highlight, data: x}\n", "r.yaml");
        TrainOptions options;
        TaskRegistry::global().at("highlight").training(training, Model::from_recipe(training), ".", options);
      },
      "is fitted to normal pictures, by `fovea fit-normal`"));
}

TEST_CASE("fit-normal: pictures of all sizes and channels; what cannot be read is listed", "[pipeline]") {
  const Folder folder;
  const std::string backbone = small_backbone(folder).string();
  write_png(folder / "good/grey.png", texture(1, 60, 50, CV_8UC1));
  write_png(folder / "good/colour.png", texture(2, 131, 77));
  write_png(folder / "good/deep.png", texture(3, 90, 90, CV_16UC3));
  write_png(folder / "good/alpha.png", texture(4, 40, 100, CV_8UC4));
  write_png(folder / "good/tiny.png", texture(5, 3, 2));
  write_png(folder / "good/large.png", texture(6, 1400, 900));  // seen in windows
  std::ofstream(folder / "good/broken.png") << "this is no picture";
  std::ofstream(folder / "good/other.psd") << "8BPS";
  for (const char* size : {"0", "48"}) {
    const Fitted f = fit({(folder / "good").string()}, folder / "m.safetensors",
                         {{"backbone", backbone}, {"vectors", "100"}, {"patches", "2000"}, {"size", size}});
    REQUIRE(f.finished);
    CHECK(f.told.at("pictures") == 6);
    REQUIRE(f.left_out.size() == 2);
    CHECK(f.left_out[0].fault == Fault::skipped);
    CHECK(f.left_out[1].file.filename() == "broken.png");
    const Model model = Model::load((folder / "m.safetensors").string());
    for (const char* name : {"grey.png", "alpha.png", "tiny.png", "large.png"})
      CHECK(highlighted(model, folder / (std::string("good/") + name), folder / (std::string("out") + size))
                .at("classes")
                .items()
                .at(0)
                .has("score"));
  }
}

TEST_CASE("fit-normal: too few pictures, pictures that are alike, an end before its time", "[pipeline]") {
  const Folder folder;
  const std::string backbone = small_backbone(folder).string();
  const auto fitted = [&](const char* name, bool stopped = false) {
    return fit({(folder / name).string()}, folder / "m.safetensors", {{"backbone", backbone}, {"vectors", "30"}}, stopped);
  };
  fs::create_directories(folder / "none");
  CHECK(fails_with([&] { fitted("none"); }, "expected at least two normal pictures, found 0"));
  write_textures(folder / "one", 1);
  CHECK_THROWS_AS(fitted("one"), UsageError);
  write_textures(folder / "one_whole", 1);
  std::ofstream(folder / "one_whole/broken.png") << "no picture";
  CHECK(fails_with([&] { fitted("one_whole"); }, "expected at least two normal pictures, got 1"));
  write_textures(folder / "several", 3);
  CHECK_FALSE(fitted("several", true).finished);
  CHECK_FALSE(fs::exists(folder / "m.safetensors"));
  // The same picture twice: all of the memory is of the first, and the second has no distance to it.
  for (const char* name : {"alike/a.png", "alike/b.png"}) write_png(folder / name, texture(1));
  REQUIRE(fitted("alike").finished);
  const JsonValue answer = highlighted(Model::load((folder / "m.safetensors").string()), folder / "alike/a.png", folder / "out");
  CHECK(answer.at("classes").items().at(0).at("regions").number() == 0);
  CHECK(fails_with(
      [&] {
        fit({(folder / "several").string()}, folder / "m.safetensors", {{"backbone", backbone}, {"features", "layer9"}});
      },
      "there is no 'layer9'"));
  CHECK(fails_with(
      [&] {
        fit({(folder / "several").string()}, folder / "m.safetensors", {{"backbone", "upscale-x2"}});
      },
      "has no backbone"));
}
