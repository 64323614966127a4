// Segmentation: pairs of picture and mask, training, Dice and IoU, masks and overlays on the picture's own pixels.
#include <opencv2/imgproc.hpp>

#include "datasets/image.hpp"
#include "datasets/masks.hpp"
#include "datasets/metrics/overlap.hpp"
#include "modules/io/files.hpp"
#include "pipeline/process.hpp"
#include "pipeline/sinks/progress.hpp"
#include "pipeline/task.hpp"
#include "pipeline/tasks/segment/label_map.hpp"
#include "pipeline/train_run.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/write_png.hpp"

using namespace fovea;
namespace fs = std::filesystem;
using test::fails_with;

namespace {

// Discs brighter than what lies around them, and where they are.
void write_pair(const fs::path& folder, const std::string& name, int seed, cv::Size size = {40, 36}) {
  cv::RNG random(static_cast<std::uint64_t>(seed) + 1);
  cv::Mat picture(size, CV_8UC1), mask(size, CV_8UC1, cv::Scalar(0));
  random.fill(picture, cv::RNG::UNIFORM, 20, 90);
  for (int i = 0; i < 3; ++i) {
    const cv::Point at(random.uniform(4, size.width - 4), random.uniform(4, size.height - 4));
    cv::circle(picture, at, 5, cv::Scalar(200), -1);
    cv::circle(mask, at, 5, cv::Scalar(255), -1);
  }
  test::write_png(folder / "images" / (name + ".png"), picture);
  test::write_png(folder / "masks" / (name + ".png"), mask);
}

constexpr const char* kRecipe =
    "fovea: 1\nmodel:\n  backbone: {type: unet, widths: [4, 8]}\n  head: {type: segment, classes: [disc]}\n"
    "preprocess: {channels: 1, resize: none, mean: 0.3, std: 0.3}\n"
    "train:\n  task: segment\n  data: train\n  validate: val\n  crop: 24\n  batch: 4\n  loss: dice_cross_entropy\n  steps: 60\n"
    "  log_every: 60\n  validate_every: 60\n  optimizer: {type: adam, lr: 0.01}\n";

}  // namespace

TEST_CASE("overlap: Dice and IoU by hand, classes that are absent, ignored pixels") {
  const cv::Mat truth = (cv::Mat_<std::uint8_t>(2, 3) << 0, 1, 1, 0, 1, 255),
                got = (cv::Mat_<std::uint8_t>(2, 3) << 0, 1, 0, 1, 1, 1);
  OverlapMetrics one({"thing"});
  one.add(got, truth);
  CHECK(one.per_class()[0].dice() == Approx(2.0 * 2 / (3 + 3)));
  CHECK(one.per_class()[0].iou() == Approx(2.0 / 4));
  CHECK(one.accuracy() == Approx(3.0 / 5));
  OverlapMetrics three({"a", "b", "c"});
  three.add(got, truth);
  CHECK(three.per_class()[0].dice() == Approx(2.0 * 1 / (2 + 2)));
  CHECK(three.per_class()[2].dice() == 1);  // nowhere, and nowhere said
  CHECK(three.mean_iou() == Approx((1.0 / 3 + 0.5 + 1) / 3));
}

TEST_CASE("masks: pairs by name, values checked, what does not fit put aside with its reason") {
  const test::Folder folder;
  write_pair(folder.path(), "a", 1);
  write_pair(folder.path(), "b", 2);
  test::write_png(folder / "images/c.png", cv::Mat(8, 8, CV_8UC1, cv::Scalar(1)));
  test::write_png(folder / "masks/b.png", cv::Mat(3, 3, CV_8UC1, cv::Scalar(1)));
  const MaskedPictures read = read_masked({folder.path()}, 1);
  REQUIRE(read.all.size() == 1);
  CHECK(cv::countNonZero(read.all[0].mask == 1) > 20);
  REQUIRE(read.bad.size() == 2);
  CHECK(read.bad[0].reason.find("expected a mask of 40x36") != std::string::npos);
  CHECK(read.bad[1].reason.find("there is no mask of that name") != std::string::npos);
  test::write_png(folder / "masks/a.png", cv::Mat(36, 40, CV_8UC1, cv::Scalar(7)));
  CHECK(read_masked({folder.path()}, 3).bad[0].reason.find("the value 7 is none of the 3 classes") != std::string::npos);
  CHECK(fails_with([&] { read_masked({folder / "images"}, 1); }, "expected the folders images and masks"));
  const MaskSource source(read.all, {.preprocess = Preprocess::none(1), .crop = 50, .batch = 3, .seed = 4});
  const Batch b = source.batch(2);
  CHECK(b.input().shape() == Shape{3, 1, 50, 50});  // larger than the picture: mirrored at its edge
  CHECK(b.target().values() == source.batch(2).target().values());
}

TEST_CASE("label map: labels lie on the picture's own pixels; what the network did not see is 255") {
  Preprocess p;
  p.channels = 1, p.height = 8, p.width = 8, p.crop_fraction = 1;
  p.mean = p.pad = {0}, p.stddev = {1};
  const Geometry g = geometry_of({32, 16}, p);  // the middle 16 x 16 is seen, two pixels a cell
  Tensor logits = Tensor::full({1, 1, 8, 8}, -5);
  logits.slice(2, 0, 4).slice(3, 4, 8).fill(5.0);
  const LabelMap map = label_map(logits, g);
  CHECK(map.labels.size() == cv::Size(32, 16));
  CHECK(map.labels.at<std::uint8_t>(3, 3) == kIgnoredLabel);
  CHECK(map.labels.at<std::uint8_t>(2, 20) == 1);
  CHECK(map.labels.at<std::uint8_t>(2, 11) == 0);
  CHECK(map.labels.at<std::uint8_t>(12, 20) == 0);
  CHECK(map.probabilities[0].at<float>(2, 20) == Approx(1 / (1 + std::exp(-5.0))).epsilon(1e-5));
  CHECK(fails_with([&] { label_map(Tensor::full({1, 1, 8, 8}, std::nan("")), g); }, "NaN or infinity"));
}

TEST_CASE("segment: trained on pairs, measured, run over a folder, and its masks scored alike", "[pipeline]") {
  const test::Folder folder;
  for (int i = 0; i < 12; ++i) write_pair(folder / "train", std::to_string(i), i);
  for (int i = 0; i < 3; ++i) write_pair(folder / "val", std::to_string(i), 100 + i, {40 + 3 * i, 36});
  std::atomic<bool> stop{false};
  REQUIRE(train(Yaml::parse(kRecipe, "recipe"), {folder.path(), folder / "run"}, stop));
  const Model model = Model::load((folder / "run/best.safetensors").string());
  const Task& task = task_of(model);
  const auto evaluator = task.evaluator();
  evaluator->open(model, {folder / "val"}, DType::f32);
  for (std::int64_t i = 0; i < evaluator->batches(); ++i) evaluator->add(i);
  CHECK(evaluator->score() > 0.8);  // calling everything a disc gives about 0.3

  const auto operation = task.operation();
  Process process(*operation, {.inputs = {(folder / "val/images").string()}, .out = folder / "out", .report = true}, model);
  const FileRunResult result = process.run(*make_progress(ProgressKind::quiet));
  CHECK(result.done == 3);
  CHECK(fs::exists(folder / "out/0.png.overlay.png"));
  const cv::Mat mask = read_image(folder / "out/2.png.mask.png").pixels;
  CHECK(mask.size() == cv::Size(46, 36));

  const auto scorer = std::move(task.scorers().at(0));
  OptionList options;
  scorer->add_options(options);
  options.set("ANSWERS", (folder / "out").string());
  options.set("TRUTH", (folder / "val/masks").string());
  scorer->run();  // of the folder's files those that are masks
  CHECK(scorer->json().at("mean_dice").get<double>() == Approx(evaluator->json().at("mean_dice").get<double>()));
}
