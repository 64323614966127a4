// Files of a run that were damaged since: made again, and said; never a crash, a lost row or a bare message of a library.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "modules/io/files.hpp"
#include "pipeline/explain_operation.hpp"
#include "pipeline/explained.hpp"
#include "pipeline/process.hpp"
#include "pipeline/tasks/classify/operation.hpp"
#include "pipeline/tasks/segment/operation.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"

using namespace fovea;
namespace fs = std::filesystem;
using test::fails_with;
using test::Folder;

namespace {

const std::string kBackbone = "fovea: 1\nmodel:\n  backbone: {type: resnet, layers: [1], widths: [4], stem: cifar}\n";
const std::string kPreprocess = "preprocess: {size: 16}\n";
const std::string kClassifier = kBackbone + "  head: {type: classify, classes: [red, green, blue]}\n" + kPreprocess;
const std::string kSegmenter = kBackbone + "  head: {type: segment, classes: [sky, other]}\n" + kPreprocess;

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

std::string text_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

void write_pictures(const fs::path& folder, int count) {
  for (int i = 0; i < count; ++i) {
    Image image;
    image.pixels = cv::Mat(20, 24, CV_8UC3, cv::Scalar(30.0 * i, 200 - 20.0 * i, 90));
    const auto bytes = encode_image(image, "png");
    fs::create_directories(folder);
    write_file_atomically(folder / (std::to_string(i) + ".png"), bytes.data(), bytes.size());
  }
}

using Make = std::unique_ptr<Operation> (*)();

FileRunResult run(Make make, const std::string& recipe, const Folder& dir, const std::map<std::string, std::string>& set = {},
                  nlohmann::ordered_json* summary = nullptr) {
  const auto operation = make();
  OptionList options;
  operation->add_options(options);
  for (const auto& [name, value] : set) options.set(name, value);
  Process process(*operation, {.inputs = {(dir / "in").string()}, .out = dir / "out", .threads = 2, .report = true},
                  Model::from_recipe(recipe, 3));
  const FileRunResult result = process.run(*make_progress(ProgressKind::quiet));
  if (summary) operation->add_to_summary(*summary);
  return result;
}

const std::vector<std::string> kDamaged{"{}",
                                        "",
                                        "[]",
                                        "null",
                                        "{\"top\": {}}",
                                        R"({"top": [{"class": 3}], "classes": [{}], "method": 1})",
                                        std::string(200000, '['),
                                        "\xff",
                                        R"({"maps": [{}], "method": "x", "geometry": {}})"};

}  // namespace

TEST_CASE("answers that were damaged are made again, and no table loses a row", "[pipeline]") {
  struct Verb {
    Make make;
    std::string recipe;
  };
  for (const Verb& verb :
       {Verb{classify_operation, kClassifier}, Verb{segment_operation, kSegmenter}, Verb{explain_operation, kClassifier}}) {
    const Folder dir;
    const int count = static_cast<int>(kDamaged.size());
    write_pictures(dir / "in", count + 1);
    CHECK(run(verb.make, verb.recipe, dir).done == kDamaged.size() + 1);
    const std::string table = text_of(dir / "out/predictions.csv");
    for (int i = 0; i < count; ++i)
      write(dir / ("out/" + std::to_string(i) + ".png.json"), kDamaged[static_cast<std::size_t>(i)]);
    const FileRunResult again = run(verb.make, verb.recipe, dir);
    CHECK(again.done == kDamaged.size());
    CHECK(again.up_to_date == 1);
    CHECK(again.exit_code() == kExitDone);
    CHECK(text_of(dir / "out/predictions.csv") == table);
    CHECK(text_of(dir / "out/report.html").find("no pictures") == std::string::npos);
    CHECK(run(verb.make, verb.recipe, dir).up_to_date == kDamaged.size() + 1);
  }
}

TEST_CASE("damaged lines of a ledger are told, and what they were about is done again", "[pipeline]") {
  const Folder dir;
  write_pictures(dir / "in", 3);
  CHECK(run(classify_operation, kClassifier, dir).warning.empty());
  const fs::path ledger = dir / "out" / kLedgerName;
  std::istringstream lines(text_of(ledger));
  std::string text, line;
  std::getline(lines, line);
  text = line + "\n" + std::string(200000, '[') + "\n{\"settings\":\"x\",\"of\":" + std::string(1000, '[') + "\n";
  std::getline(lines, line);
  text += line.substr(0, line.size() / 2) + "\n";
  std::getline(lines, line);
  text += line + "\n" + std::string(3 << 20, 'x') + "\n{\"input\":3}\n";
  write(ledger, text);
  const FileRunResult again = run(classify_operation, kClassifier, dir);
  CHECK(again.done == 2);  // the line that was cut, and the one that is gone
  CHECK(again.up_to_date == 1);
  CHECK(again.warning.find("5 lines of the ledger cannot be read") != std::string::npos);
  CHECK(again.warning.find("fovea-ledger.jsonl:2: JSON nested deeper") != std::string::npos);
  CHECK(run(classify_operation, kClassifier, dir).warning.empty());
}

TEST_CASE("files of boxes are checked before any work, with file and key", "[pipeline]") {
  const Folder dir;
  write_pictures(dir / "in", 1);
  const auto refused = [&](const std::string& text, const std::string& message) {
    INFO(text.substr(0, 100));
    write(dir / "boxes.json", text);
    const bool told = fails_with(
        [&] {
          run(explain_operation, kClassifier, dir, {{"boxes", (dir / "boxes.json").string()}});
        },
        "--boxes " + (dir / "boxes.json").string() + ": " + message);
    CHECK_FALSE(fs::exists(dir / "out"));
    return told;
  };
  CHECK(refused("{}", "\"images\" is missing"));
  CHECK(refused("[]", "expected an object with \"images\", got a list"));
  CHECK(refused("{", "it is not JSON"));
  CHECK(refused(std::string(200000, '['), "JSON nested deeper than"));
  CHECK(refused(R"({"images": []})", "images: expected an object, got a list"));
  CHECK(refused(R"({"images": {"0.png": [{"class": "red"}]}})", "images.0.png[0]: \"box\" is missing"));
  CHECK(refused(R"({"images": {"0.png": [{"box": [1, 2, 3]}]}})", "images.0.png[0].box: expected x0, y0, x1, y1"));
  CHECK(refused(R"({"images": {"0.png": [{"box": [1, 2, 3, "4"]}]}})", "images.0.png[0].box[3]: expected a number, got text"));
  CHECK(refused(R"({"images": {"0.png": [{"box": [1, 2, 3, 4], "class": 5}]}})", "images.0.png[0].class: expected text"));
  CHECK(refused(R"({"images": {}, "image_size": [0, 5]})", "image_size: expected width and height"));
  CHECK(refused(R"({"images": {}, "image_size": 5})", "image_size: expected a list, got a number"));

  write(dir / "boxes.json",
        R"({"images": {"0.png": [{"box": [0, 0, 50, 50]}, {"box": [9, 9, 9, 9], "strong": false}]}, "image_size": [48, 40]})");
  nlohmann::ordered_json summary;
  CHECK(run(explain_operation, kClassifier, dir, {{"boxes", (dir / "boxes.json").string()}}, &summary).done == 1);
  REQUIRE(summary.contains("faithfulness"));
  CHECK(summary["faithfulness"].begin().value().at("pointing_game") == 1.0);
  CHECK(Boxes(dir / "boxes.json").of("0.png", "red", 24, 20).at(0).x1 == 25);
}
