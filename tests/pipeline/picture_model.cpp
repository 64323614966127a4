// A network on OpenCV pictures: batches equal single pictures, maps lie where the network saw, errors say what to do.
#include "pipeline/picture_model.hpp"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "datasets/preprocess.hpp"
#include "pipeline/sinks/heatmap.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/rounding.hpp"

using namespace fovea;
using fovea::test::fails_with;

namespace {

Model small(const std::string& resize = "crop") {
  return Model::from_recipe(
      "fovea: 1\nmodel:\n  backbone: {type: resnet, layers: [1, 1], widths: [8, 16], stem: cifar}\n"
      "  attention: [{at: 'backbone.layer*.*.pre_add', type: cbam, reduction: 4, bn: false}]\n"
      "  head: {type: classify, classes: [a, b, c]}\npreprocess: {size: [24, 40], resize: " +
          resize + "}\n",
      5);
}

// Of the output and of the maps: a plan for a batch may sum in another order than one for a single picture.
double bound(const Model& model, const cv::Mat& picture) {
  Tensors parameters;
  for (const Var& p : model.params()->trainable()) parameters.push_back(p.value());
  const Tensor x = preprocess(picture, model.preprocess()).tensor;
  const auto bounds = test::rounding_bounds(parameters, 16 * 9, [&] {
    const auto r = model.run(x, {.keep = "**.spatial"});
    return Tensors{r.output, r.taps[0].value, r.taps[1].value};
  });
  return *std::max_element(bounds.begin(), bounds.end());
}

cv::Mat noise(int height, int width, int type = CV_8UC3) {
  cv::Mat picture(height, width, type);
  cv::RNG random(static_cast<std::uint64_t>(height * 1000 + width));
  random.fill(picture, cv::RNG::UNIFORM, 0, CV_MAT_DEPTH(type) == CV_32F ? 1 : 256);
  return picture;
}

}  // namespace

TEST_CASE("picture model: a batch of pictures of any size and type gives what each gives alone") {
  const Model network = small();
  const PictureModel model(network, {.keep = "**.spatial", .top = 2});
  const std::vector<cv::Mat> pictures{noise(60, 80), noise(33, 21, CV_8UC1), noise(50, 50, CV_16UC4), noise(24, 40, CV_32FC3)};
  const auto together = model.run(pictures);
  REQUIRE(together.size() == pictures.size());
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const auto alone = model.run({pictures[i]}).front();
    const double most = bound(network, pictures[i]);
    CHECK(together[i].output.shape() == Shape{1, 3});
    for (int c = 0; c < 3; ++c) {
      const auto k = static_cast<std::size_t>(c);
      CHECK(std::abs(together[i].output.values()[k] - alone.output.values()[k]) <= most);
    }
    CHECK(together[i].top.size() == 2);
    CHECK(together[i].top[0].probability >= together[i].top[1].probability);
    REQUIRE(together[i].maps.size() == 2);
    CHECK(together[i].maps[0].name == "backbone.layer1.0.pre_add.cbam.spatial");
    for (std::size_t m = 0; m < 2; ++m) {
      CHECK(together[i].maps[m].heat.size() == pictures[i].size());
      const cv::Mat mine = together[i].maps[m].heat, his = alone.maps[m].heat;
      CHECK(cv::countNonZero(missing(mine) != missing(his)) == 0);
      CHECK(cv::norm(mine, his, cv::NORM_INF, 255 - missing(mine)) <= most);
    }
  }
  CHECK(model.run({}).empty());
}

TEST_CASE("picture model: maps have values where the network saw the picture, those of the tap, and none elsewhere") {
  const Model network = small();
  const PictureModel model(network, {.keep = "backbone.layer1.**.spatial"});
  const cv::Mat wide = noise(24, 200);
  const auto answer = model.run({wide}).front();
  const cv::Rect2d seen = answer.geometry.seen();
  CHECK(answer.geometry.source == wide.size());
  REQUIRE(answer.maps.size() == 1);
  const PlacedMap& map = answer.maps.front();
  for (int x = 0; x < wide.cols; ++x) CHECK(std::isnan(map.heat.at<float>(12, x)) == !(x >= seen.x && x <= seen.x + seen.width));
  const Tensor input = preprocess(wide, network.preprocess()).tensor;
  const auto tap = network.run(input, {.keep = "backbone.layer1.**.spatial"}).taps.front().value;
  CHECK(map.map.values == tap.values());
}

TEST_CASE("picture model: without maps nothing is kept; networks that do not fit and layers that are not there are named") {
  const auto answer = PictureModel(small("letterbox")).run({noise(10, 10)}).front();
  CHECK(answer.maps.empty());
  CHECK(answer.top.size() == 3);
  CHECK(fails_with([] { PictureModel(small(), {.keep = "**.spatail"}); }, "no layer is called '**.spatail'"));
  CHECK(fails_with([] { PictureModel(small(), {.keep = "**.channel"}); }, "keep cannot use the layer"));
  const Model enlarger = Model::from_recipe("fovea: 1\nmodel: {head: {type: a2n, scale: 2, width: 8, blocks: 1}}\n");
  CHECK(fails_with([&] { PictureModel{enlarger}; }, "takes pictures of any size as they are"));
  CHECK(fails_with([] { PictureModel(small()).run({noise(9, 9), cv::Mat()}); }, "empty"));
}
