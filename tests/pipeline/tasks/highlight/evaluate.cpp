// Measuring a model on pictures with known regions: what cannot be read, and what its looks say together.
#include <opencv2/imgproc.hpp>

#include "modules/io/files.hpp"
#include "tests/pipeline/tasks/highlight/support.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/write_png.hpp"

using namespace fovea;
using namespace fovea::test;
namespace fs = std::filesystem;

namespace {

// A bright box and its mask.
void write_pair(const fs::path& folder, const std::string& name) {
  cv::Mat picture(24, 32, CV_8UC1, cv::Scalar(0));
  picture(cv::Rect(4, 5, 9, 7)).setTo(255);
  write_png(folder / "images" / (name + ".png"), picture);
  write_png(folder / "masks/bright" / (name + ".png"), picture);
}

void cut(const fs::path& file) {
  const auto bytes = read_file(file);
  write_file_atomically(file, bytes.data(), bytes.size() / 2);
}

}  // namespace

TEST_CASE("highlight: a picture or a mask that cannot be read is left out and named", "[pipeline]") {
  const Folder folder;
  for (const char* name : {"a", "b", "c", "d"}) write_pair(folder.path(), name);
  cut(folder / "images/b.png");
  cut(folder / "masks/bright/d.png");
  const Model model = threshold_model();
  const auto evaluator = task_of(model).evaluator();
  evaluator->open(model, {folder.path()}, DType::f32);
  REQUIRE(evaluator->batches() == 4);
  for (std::int64_t i = 0; i < evaluator->batches(); ++i) evaluator->add(i);
  CHECK(evaluator->score() == 1);
  const auto left_out = evaluator->left_out();
  REQUIRE(left_out.size() == 2);
  CHECK(left_out[0].reason.find("images/b.png") != std::string::npos);
  CHECK(left_out[1].reason.find("masks/bright/d.png") != std::string::npos);
  CHECK(evaluator->json().at("left_out") == 2);
  CHECK(evaluator->json().at("classes").at(0).at("pictures") == 2);

  cut(folder / "images/a.png"), cut(folder / "images/c.png");
  const auto none = task_of(model).evaluator();
  none->open(model, {folder.path()}, DType::f32);
  CHECK(fails_with(
      [&] {
        for (std::int64_t i = 0; i < none->batches(); ++i) none->add(i);
      },
      "no picture can be used; the first reason: "));
}
