// Classification of folders: order and probabilities, tables, quarantine, what a rerun leaves alone.
#include "pipeline/stages/classify.hpp"

#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>

#include "modules/io/files.hpp"
#include "pipeline/batch.hpp"
#include "pipeline/sinks/folder_lock.hpp"
#include "pipeline/sinks/predictions.hpp"
#include "pipeline/stages/load.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"

using namespace fovea;
using fovea::test::fails_with;

namespace {

const char* const kRecipe =
    "fovea: 1\nmodel:\n  backbone: {type: resnet, layers: [1], widths: [4], stem: cifar}\n"
    "  head: {type: classify, classes: ['red, deep', green, 'the \"blue\"']}\n"
    "preprocess: {size: 16}\n";

void write_picture(const std::filesystem::path& file, const cv::Scalar& colour) {
  Image image;
  image.pixels = cv::Mat(20, 24, CV_8UC3, colour);
  const auto bytes = encode_image(image, "png");
  std::filesystem::create_directories(file.parent_path());
  write_file_atomically(file, bytes.data(), bytes.size());
}

std::string text_of(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

BatchResult classify(const std::filesystem::path& in, const std::filesystem::path& out, bool page) {
  std::filesystem::create_directories(out);
  const FolderLock lock(out);
  Plan plan(Inputs({in.string()}, out), out, "+json");
  Ledger ledger(out);
  const auto progress = make_progress(ProgressKind::quiet);
  const Model model = Model::from_recipe(kRecipe, 3);
  std::vector<Step> steps;
  steps.push_back({std::make_unique<LoadImage>(), 1, 1});
  steps.push_back({std::make_unique<Classify>(model, ClassifyOptions{.top = 2}), 2, 1});
  steps.push_back({std::make_unique<SavePredictions>(), 1, 1});
  const BatchResult result = run_batch(plan, ledger, {{"top", 2}}, std::move(steps), *progress);
  write_predictions(out, ledger, page, {{"model", "tiny <1>"}});
  return result;
}

}  // namespace

TEST_CASE("classify: the most probable first, with softmax's probabilities; equal ones by index") {
  const std::vector<std::string> names{"a", "b", "c", "d"};
  const auto top = top_k(Tensor::from(std::vector<float>{0, 2, 1, 2}, {1, 4}), names, 3);
  REQUIRE(top.size() == 3);
  CHECK(top[0].name == "b");
  CHECK(top[1].name == "d");
  CHECK(top[2].name == "c");
  const double sum = 1 + 2 * std::exp(2.0) + std::exp(1.0);
  CHECK(top[0].probability == Approx(std::exp(2.0) / sum));
  CHECK(top[2].probability == Approx(std::exp(1.0) / sum));
  CHECK(top_k(Tensor::from(std::vector<float>{900, -900, 0, 0}, {1, 4}), names, 9).size() == 4);
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()})
    CHECK(fails_with([&] { top_k(Tensor::from(std::vector<float>{0, bad, 1, 2}, {1, 4}), names, 1); }, "NaN or infinity"));
  CHECK(fails_with([&] { top_k(Tensor::zeros({1, 3}), names, 1); }, "expected 4 logits, got 3"));
}

TEST_CASE("classify: a folder becomes tables and a page; what cannot be read is quarantined; a rerun does nothing again") {
  const test::Folder folder;
  write_picture(folder / "in/a.png", {200, 10, 10});
  write_picture(folder / "in/sub/b, <c>.png", {10, 10, 200});
  std::ofstream(folder / "in/broken.png") << "no picture";
  const BatchResult first = classify(folder / "in", folder / "out", true);
  CHECK(first.done == 2);
  CHECK(first.quarantined == 1);
  CHECK(first.exit_code() == kExitQuarantined);
  CHECK(std::filesystem::exists(folder / "out/sub/b, <c>.png.json"));

  const std::string csv = text_of(folder / "out/predictions.csv");
  CHECK(csv.rfind("file,class_1,probability_1,class_2,probability_2\r\n", 0) == 0);
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 3);
  CHECK(csv.find("broken") == std::string::npos);
  const std::string lines = text_of(folder / "out/predictions.jsonl");
  const auto json = nlohmann::json::parse(lines.substr(0, lines.find('\n')));
  REQUIRE(json.at("top").size() == 2);
  CHECK(json.at("top")[0].at("probability").get<double>() >= json.at("top")[1].at("probability").get<double>());
  const std::string page = text_of(folder / "out/report.html");
  CHECK(page.find("b, &lt;c&gt;.png") != std::string::npos);
  CHECK(page.find("tiny &lt;1&gt;") != std::string::npos);
  CHECK(page.find("broken.png") != std::string::npos);

  const BatchResult second = classify(folder / "in", folder / "out", false);
  CHECK(second.done == 0);
  CHECK(second.up_to_date == 2);
  CHECK(text_of(folder / "out/predictions.csv") == csv);
}

TEST_CASE("classify: names with commas and quotes stand in CSV as they should") {
  Record record;
  record.input = "/p/a.png";
  const std::string csv = predictions_csv({{&record, {{0, "red, deep", 0.75}, {2, "the \"blue\"", 0.25}}}});
  CHECK(csv ==
        "file,class_1,probability_1,class_2,probability_2\r\n"
        "/p/a.png,\"red, deep\",0.750000,\"the \"\"blue\"\"\",0.250000\r\n");
}

TEST_CASE("classify: a model that does not classify is refused") {
  const Model upscaler = Model::from_recipe("fovea: 1\nmodel: {head: {type: a2n_light, scale: 2, width: 8, blocks: 1}}\n");
  CHECK(fails_with([&] { Classify(upscaler, ClassifyOptions{}); }, "not a classification model"));
}
