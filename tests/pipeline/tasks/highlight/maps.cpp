// Maps of a run: what classes were recognised by, where the network's gates looked, how unsure it is.
#include <numeric>
#include <opencv2/imgproc.hpp>

#include "datasets/image.hpp"
#include "datasets/scans/image_stack.hpp"
#include "pipeline/stages/explain.hpp"
#include "pipeline/tasks/highlight/highlighter.hpp"
#include "tests/pipeline/tasks/highlight/support.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/images.hpp"
#include "tests/support/small_networks.hpp"
#include "tests/support/write_png.hpp"

using namespace fovea;
using namespace fovea::test;
namespace fs = std::filesystem;

namespace {

Model gated_model(const std::string& more = "resize: none") {
  Model m = Model::from_recipe(
      "fovea: 1\nmodel:\n  backbone: {type: attention_unet, widths: [4, 8], features: [Up_conv2]}\n  head: {type: highlight, "
      "classes: [a, b], dropout: 0.2}\npreprocess: {channels: 1, mean: 0.5, std: 0.25, " +
          more + "}\n",
      3);
  scatter(m, 5);
  // Untrained it may say the same everywhere: each class on about half of a noisy picture.
  Tensor noisy = Tensor::empty({1, 1, 40, 48}, DType::f32);
  Random(7).fill_uniform(noisy, -2, 2);
  const std::vector<double> bias = m.params()->values().at("head.conv.bias").values(), logits = m.run(noisy).values();
  std::vector<float> middle;
  for (std::size_t c = 0; c < 2; ++c) {
    const auto first = logits.begin() + static_cast<std::ptrdiff_t>(c * logits.size() / 2);
    middle.push_back(static_cast<float>(bias[c] - std::accumulate(first, first + 40 * 48, 0.0) / (40 * 48)));
  }
  m.params()->load({{"head.conv.bias", Tensor::from(middle, {2})}}, false);
  return m;
}

const cv::Mat& map_of(const Highlights& h, const std::string& name) {
  const auto found = std::find_if(h.maps.begin(), h.maps.end(), [&](const HighlightMap& m) { return m.name == name; });
  REQUIRE(found != h.maps.end());
  return found->values;
}

}  // namespace

TEST_CASE("highlight: the map of a class is what an explanation of it says, on the same pixels", "[pipeline]") {
  for (const char* preprocess : {"resize: none", "resize: letterbox, size: [40, 48]", "resize: stretch, size: [40, 48]"}) {
    INFO(preprocess);
    const Model model = gated_model(preprocess);
    const Image image{noise(60, 44, CV_8UC1, 4), true, {}};
    cv::Mat values;
    image.pixels.convertTo(values, CV_32F, 1 / 255.0);
    const Highlights found = Highlighter(model, {.grad_cam = true, .thresholds = {0.5, 0.5}})(values);
    REQUIRE(found.maps.size() == 2);
    int speak_for = 0;
    for (const std::string name : {"a", "b"}) {
      INFO(name);
      ExplainOptions options;
      options.target = name;
      const Explained explained = Explainer(model, options).run(image);
      REQUIRE(explained.facts.at("target").at("pixels") > 0);
      const cv::Mat heat = explained.maps.front().heat, map = map_of(found, name + kGradCam);
      // The layer is one of features: that of the two logits is the answer itself.
      CHECK(explained.maps.front().name.find("logits") == std::string::npos);
      double most = 0;
      cv::minMaxLoc(heat, nullptr, &most);
      speak_for += most > 0;  // where every channel speaks against a class, its map is empty
      // OpenCV lays a map on a resized picture in steps of 1/32 pixel: half a step off in each direction, of at most the whole range.
      const bool resized = std::string(preprocess) != "resize: none";
      CHECK(cv::norm(map, heat, cv::NORM_INF) <= most * (resized ? 1.0 / 32 : 1e-4));
    }
    CHECK(speak_for > 0);
  }
}

TEST_CASE("highlight: a class is explained in the windows that it is found in", "[pipeline]") {
  const Model model = two_class_model();
  cv::Mat picture = cv::Mat::zeros(32, 96, CV_32F);
  picture(cv::Rect(10, 10, 5, 4)).setTo(1);
  const Highlights whole = Highlighter(model, {.grad_cam = true})(picture);
  const Highlights windows = Highlighter(model, {.window = 32, .grad_cam = true})(picture);
  for (const Highlights* h : {&whole, &windows}) {
    const cv::Mat map = map_of(*h, "bright.gradcam");
    CHECK(cv::countNonZero(map) == 20);
    CHECK(cv::countNonZero(map(cv::Rect(10, 10, 5, 4))) == 20);
  }
  CHECK(Highlighter(model, {.grad_cam = true})(cv::Mat::zeros(32, 32, CV_32F)).maps.size() == 1);  // nothing is bright
  // A threshold of one's own says what is found.
  CHECK(Highlighter(model, {.grad_cam = true, .thresholds = {0.5, 1}})(cv::Mat(32, 32, CV_32F, cv::Scalar(0.49))).maps.empty());
}

TEST_CASE("highlight: only the maps that are looked at are made", "[pipeline]") {
  const Highlighter all(gated_model(), {.flips = true, .keep = "**.spatial", .grad_cam = true, .spread = true});
  const auto names = all.maps();
  REQUIRE(names.size() == 5);
  CHECK(std::vector<std::string>(names.begin() + 1, names.end()) ==
        std::vector<std::string>{"a.gradcam", "b.gradcam", "a.uncertainty", "b.uncertainty"});
  cv::Mat values;
  noise(40, 32, CV_8UC1, 4).convertTo(values, CV_32F, 1 / 255.0);
  for (const std::string& name : names) {
    const Highlights one = all(values, {name});
    REQUIRE(one.maps.size() == 1);
    CHECK(one.maps[0].name == name);
    CHECK(one.maps[0].values.size() == values.size());
  }
  CHECK(all(values, {}).maps.empty());
  CHECK(cv::norm(map_of(all(values), "a.uncertainty"), all(values).uncertainty[0], cv::NORM_INF) == 0);
  CHECK_FALSE(all.runs_only());
  CHECK(Highlighter(gated_model(), {.flips = true, .keep = "**.spatial"}).runs_only());
  // Nothing is dropped in what the gates say.
  const Highlighter sampled(gated_model(), {.samples = 2, .keep = "**.spatial"}), once(gated_model(), {.keep = "**.spatial"});
  CHECK(cv::norm(sampled(values).maps.at(0).values, once(values).maps.at(0).values, cv::NORM_INF) == 0);
}

TEST_CASE("highlight: maps as files", "[pipeline]") {
  const Folder folder;
  cv::Mat picture(40, 50, CV_8UC1, cv::Scalar(0));
  picture(cv::Rect(10, 10, 20, 10)).setTo(255);
  write_png(folder / "p.png", picture);
  write_png(folder / "dark.png", cv::Mat(40, 50, CV_8UC1, cv::Scalar(0)));
  const auto run = [&](const Model& m, const std::string& maps, const std::string& out, const std::string& write = "mask") {
    return highlight(m, {(folder / "p.png").string(), (folder / "dark.png").string()}, folder / out,
                     {{"maps", maps}, {"write", write}, {"flips", "true"}})
        .result.done;
  };
  REQUIRE(run(two_class_model(), "gradcam", "cams", "mask nifti") == 2);
  for (const char* file :
       {"p.png.bright.gradcam.png", "p.png.bright.gradcam.npy", "p.png.dark.gradcam.png", "dark.png.dark.gradcam.npy"})
    CHECK(fs::exists(folder / "cams" / file));
  CHECK_FALSE(fs::exists(folder / "cams/dark.png.bright.gradcam.png"));
  CHECK_FALSE(fs::exists(folder / "cams/p.png.bright.uncertainty.overlay.png"));
  const ImageStack volume({folder / "cams/p.png.bright.gradcam.nii.gz"}, {}, {});
  CHECK(cv::countNonZero(volume.read(0).values) == 200);

  // The colours reach from nothing to the most that there is: red on the box, blue beside it.
  const cv::Mat drawn = read_image(folder / "cams/p.png.bright.gradcam.png").pixels;
  const int zoom = drawn.cols / 50;
  const auto on = drawn.at<cv::Vec3b>(15 * zoom, 20 * zoom), off = drawn.at<cv::Vec3b>(30 * zoom, 40 * zoom);
  CHECK(on[2] > on[0]);
  CHECK(off[0] > off[2]);

  REQUIRE(run(gated_model(), "gates,uncertainty,backbone.{Att2,Att3}.*", "all") == 2);
  int maps = 0;
  for (const auto& entry : fs::directory_iterator(folder / "all")) maps += entry.path().extension() == ".npy";
  CHECK(maps >= 2);
  CHECK(fs::exists(folder / "all/p.png.a.uncertainty.overlay.png"));
  CHECK(fails_with([&] { run(gated_model(), "gates,nothing", "no"); }, "no layer is called 'nothing'"));
  CHECK(fails_with([&] { run(threshold_model(), "gradcam", "no"); }, "no layer that holds a map with positions"));
}
