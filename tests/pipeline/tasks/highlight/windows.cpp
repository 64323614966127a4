// Large pictures in windows: what the whole picture would give, wherever the network's reach allows it.
#include "pipeline/tasks/highlight/windows.hpp"

#include <cmath>

#include "modules/core/random.hpp"
#include "pipeline/tasks/highlight/highlighter.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using test::fails_with;

namespace {

cv::Mat noise(cv::Size size, std::uint64_t seed) {
  Random random(seed);
  cv::Mat m(size, CV_32F);
  for (float& v : cv::Mat_<float>(m)) v = static_cast<float>(random.uniform());
  return m;
}

// Two levels: its reach is 11 pixels (2 at each end of the fine level, 2 x 2 twice at the coarse one, and the resizing between).
Model small_model(const std::string& more = "") {
  Model m = Model::from_recipe(
      "fovea: 1\nmodel:\n  backbone: {type: attention_unet, widths: [4, 8], features: [Up_conv2]}\n  head: {type: highlight, "
      "classes: [a, b]" +
          more + "}\npreprocess: {channels: 1, resize: none, mean: 0.5, std: 0.25}\n",
      3);
  // Untrained it says nearly the same everywhere.
  std::map<std::string, Tensor> large;
  for (const auto& [name, value] : m.params()->values()) {
    if (value.rank() != 4) continue;
    std::vector<float> scaled;
    for (const double v : value.values()) scaled.push_back(static_cast<float>(3 * v));
    large.emplace(name, Tensor::from(scaled, value.shape()));
  }
  m.params()->load(large, false);
  return m;
}

double furthest(const cv::Mat& a, const cv::Mat& b) { return cv::norm(a, b, cv::NORM_INF); }

}  // namespace

TEST_CASE("highlight: windows cover a picture and overlap as asked") {
  for (const cv::Size size : {cv::Size(96, 64), cv::Size(160, 512), cv::Size(1024, 992)}) {
    cv::Mat seen = cv::Mat::zeros(size, CV_32S);
    for (const cv::Rect& w : cover(size, {96, 96}, 0.25, 16)) {
      CHECK((w.x % 16 == 0 && w.y % 16 == 0));
      CHECK((w & cv::Rect(cv::Point(), size)) == w);
      cv::Mat part = seen(w);
      part += 1;
      const cv::Mat weights = blending_weights(w, size, 0.25);
      double least = 0, most = 0;
      cv::minMaxLoc(weights, &least, &most);
      CHECK(most > 0.5);
    }
    CHECK(cv::countNonZero(seen == 0) == 0);
  }
  CHECK(cover({64, 64}, {96, 96}, 0.25, 16).size() == 1);
  CHECK(fails_with([] { cover({65, 64}, {96, 96}, 0.25, 16); }, "multiples of 16"));
}

TEST_CASE("highlight: blended windows leave no pixel out and keep what all of them say") {
  const cv::Size size(128, 96);
  BlendedMaps blended(size, 1);
  const cv::Mat whole = noise(size, 1);
  for (const cv::Rect& w : cover(size, {48, 48}, 0.3, 8)) blended.add({whole(w)}, w, blending_weights(w, size, 0.3));
  CHECK(furthest(blended.mean()[0], whole) < 1e-6);
}

TEST_CASE("highlight: in windows as in one piece, beyond the network's reach from their edges") {
  // Overlap 0.5 of 96: a window counts from 12 pixels inside on.
  const Model model = small_model();
  const cv::Mat picture = noise({200, 136}, 7);
  const Highlights whole = Highlighter(model, {})(picture);
  const Highlights windows = Highlighter(model, {.window = 96, .overlap = 0.5})(picture);
  REQUIRE(whole.probabilities.size() == 2);
  CHECK(whole.probabilities[0].size() == picture.size());
  // Rounding alone: a window's convolutions may be computed by other kernels than the whole picture's.
  for (std::size_t c = 0; c < 2; ++c) CHECK(furthest(whole.probabilities[c], windows.probabilities[c]) < 2e-5);
  // Too little overlap is seen.
  CHECK(furthest(whole.probabilities[0], Highlighter(model, {.window = 96, .overlap = 0.02})(picture).probabilities[0]) > 1e-3);
}

TEST_CASE("highlight: mirrored looks have a spread; maps lie on the picture") {
  const Model model = small_model(", objects: true");
  const cv::Mat picture = noise({61, 45}, 9);  // sides that no stride divides
  const Highlights one = Highlighter(model, {.keep = "**.spatial"})(picture), four = Highlighter(model, {.flips = true})(picture);
  CHECK(one.uncertainty.empty());
  REQUIRE(one.maps.size() == 1);
  CHECK(one.maps[0].values.size() == picture.size());
  CHECK(one.distances.size() == 2);
  REQUIRE(four.uncertainty.size() == 2);
  CHECK(cv::norm(four.uncertainty[0], cv::NORM_INF) > 0);
  // The four looks at a mirrored picture are the same four (its sides even, so that nothing is put beside it).
  cv::Mat mirrored;
  const cv::Mat even = noise({60, 44}, 11);
  cv::flip(even, mirrored, 1);
  cv::Mat back = Highlighter(model, {.flips = true})(mirrored).probabilities[0];
  cv::flip(back, back, 1);
  CHECK(furthest(back, Highlighter(model, {.flips = true})(even).probabilities[0]) < 2e-5);
  CHECK(fails_with([&] { Highlighter(model, {.overlap = 1}); }, "overlap from 0 to 0.9"));
  CHECK(fails_with([&] { Highlighter(model, {.keep = "nothing"})(picture); }, "highlight"));
}

TEST_CASE("highlight: a picture is mirrored as the network's training mirrored") {
  const auto trained = [](const std::string& augment) {
    return Model::from_recipe(
        "fovea: 1\nmodel: {backbone: {type: unet, widths: [4, 8], features: [Up_conv2]}, head: {type: highlight, "
        "classes: [a]}}\npreprocess: {channels: 1, resize: none}\ntrain: {task: highlight" +
            augment + "}\n",
        3);
  };
  const cv::Mat picture = noise({60, 44}, 11);
  cv::Mat upside_down, mirrored;
  cv::flip(picture, upside_down, 0), cv::flip(picture, mirrored, 1);
  const Highlighter one_way(trained(", augment: {flip: 0.5}"), {.flips = true});
  const cv::Mat seen = one_way(picture).probabilities[0];
  // Two looks: the mirrored picture has the same two, the one upside down has others.
  cv::Mat back = one_way(mirrored).probabilities[0], turned = one_way(upside_down).probabilities[0];
  cv::flip(back, back, 1), cv::flip(turned, turned, 0);
  CHECK(furthest(back, seen) < 2e-5);
  CHECK(furthest(turned, seen) > 1e-4);
  for (const char* never : {"", ", augment: {rotate: 12}"})
    CHECK(fails_with([&] { Highlighter(trained(never), {.flips = true}); }, "never mirrored"));
}
