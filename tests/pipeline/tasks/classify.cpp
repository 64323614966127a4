// Classification of folders: order and probabilities, tables, quarantine, what a rerun leaves alone.
#include "pipeline/tasks/classify/operation.hpp"

#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>

#include "modules/io/files.hpp"
#include "pipeline/process.hpp"
#include "pipeline/tasks/classify/tables.hpp"
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

FileRunResult classify(const std::filesystem::path& in, const std::filesystem::path& out, bool page, int batch = 1) {
  const auto operation = classify_operation();
  OptionList options;
  operation->add_options(options);
  options.set("top", "2");
  options.set("batch", std::to_string(batch));
  Process process(*operation, {.inputs = {in.string()}, .out = out, .threads = 2, .report = page},
                  Model::from_recipe(kRecipe, 3));
  return process.run(*make_progress(ProgressKind::quiet));
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
  const FileRunResult first = classify(folder / "in", folder / "out", true);
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
  CHECK(page.find("Fovea classify") != std::string::npos);
  CHECK(page.find("broken.png") != std::string::npos);

  const FileRunResult second = classify(folder / "in", folder / "out", false);
  CHECK(second.done == 0);
  CHECK(second.up_to_date == 2);
  CHECK(text_of(folder / "out/predictions.csv") == csv);
}

TEST_CASE("classify: names with commas and quotes stand in CSV as they should") {
  Record record;
  record.input = "/p/a.png";
  const std::string csv = predictions_csv({{&record, {{0, "red, deep", 0.75, 0}, {2, "the \"blue\"", 0.25, 0}}}});
  CHECK(csv ==
        "file,class_1,probability_1,class_2,probability_2\r\n"
        "/p/a.png,\"red, deep\",0.750000,\"the \"\"blue\"\"\",0.250000\r\n");
}

TEST_CASE("classify: pictures that the network takes as one batch get the answers that they get alone") {
  const test::Folder folder;
  for (int i = 0; i < 7; ++i) write_picture(folder / ("in/" + std::to_string(i) + ".png"), {30.0 * i, 255 - 30.0 * i, 90});
  std::ofstream(folder / "in/broken.png") << "no picture";
  CHECK(classify(folder / "in", folder / "alone", false).done == 7);
  CHECK(classify(folder / "in", folder / "together", false, 4).done == 7);
  for (int i = 0; i < 7; ++i) {
    const std::string name = std::to_string(i) + ".png.json";
    const auto a = nlohmann::json::parse(text_of(folder / "alone" / name)).at("top"),
               b = nlohmann::json::parse(text_of(folder / "together" / name)).at("top");
    REQUIRE(a.size() == b.size());
    for (std::size_t k = 0; k < a.size(); ++k) {
      CHECK(a[k].at("class") == b[k].at("class"));
      CHECK(a[k].at("probability").get<double>() ==
            Approx(b[k].at("probability").get<double>()).margin(2e-6));  // written to 6 digits
    }
  }
}

TEST_CASE("classify: a model that does not classify is refused") {
  const Model upscaler = Model::from_recipe("fovea: 1\nmodel: {head: {type: a2n_light, scale: 2, width: 8, blocks: 1}}\n");
  CHECK(fails_with([&] { classify_operation()->open(upscaler, {}); }, "is no classifier: it is for the task 'upscale'"));
}
