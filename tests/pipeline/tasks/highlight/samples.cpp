// Many looks at one picture with dropout: their mean and their spread, against what can be said by hand.
#include <cmath>
#include <set>

#include "datasets/image.hpp"
#include "modules/io/files.hpp"
#include "modules/io/json.hpp"
#include "pipeline/tasks/highlight/highlighter.hpp"
#include "tests/pipeline/tasks/highlight/support.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/write_png.hpp"

using namespace fovea;
using namespace fovea::test;
namespace fs = std::filesystem;

namespace {

// One weight, and dropout in front of it.
Model one_layer(double dropout, double weight, double bias) {
  Model m =
      Model::from_recipe("fovea: 1\nmodel:\n  head: {type: highlight, classes: [bright], dropout: " + std::to_string(dropout) +
                         "}\npreprocess: {channels: 1, resize: none, mean: 0, std: 1}\n");
  m.params()->load({{"conv.weight", Tensor::full({1, 1, 1, 1}, weight)}, {"conv.bias", Tensor::full({1}, bias)}});
  return m;
}

double sigmoid(double z) { return 1 / (1 + std::exp(-z)); }

// Mean and variance of share (1 - share) where `share` of n draws are kept, each with probability q.
std::array<double, 2> binomial_spread(int n, double q) {
  double mean = 0, square = 0;
  for (int k = 0; k <= n; ++k) {
    const double log_p =
        std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) + k * std::log(q) + (n - k) * std::log(1 - q);
    const double share = static_cast<double>(k) / n, v = share * (1 - share), p = std::exp(log_p);
    mean += p * v, square += p * v * v;
  }
  return {mean, square - mean * mean};
}

std::vector<std::uint8_t> bytes_of(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".png" || entry.path().filename() == "p.png.json") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<std::uint8_t> all;
  for (const fs::path& file : files) {
    const auto bytes = read_file(file);
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  return all;
}

}  // namespace

TEST_CASE("highlight: samples of one layer have the mean and the variance of their two values") {
  const double p = 0.3, weight = 2, bias = -0.5, kept = sigmoid(weight / (1 - p) + bias), dropped = sigmoid(bias),
               apart = kept - dropped;
  const cv::Mat picture(60, 70, CV_32F, cv::Scalar(1));
  const auto pixels = static_cast<double>(picture.total());
  for (const int samples : {2, 5, 40}) {
    INFO(samples << " samples");
    const Highlights h = Highlighter(one_layer(p, weight, bias), {.samples = samples})(picture);
    REQUIRE(h.uncertainty.size() == 1);
    const double mean = cv::mean(h.probabilities[0])[0], variance = cv::mean(h.uncertainty[0].mul(h.uncertainty[0]))[0];
    // Pixels are independent: five standard errors of their mean, and what f32 rounds.
    CHECK(std::abs(mean - ((1 - p) * kept + p * dropped)) < 5 * apart * std::sqrt(p * (1 - p) / (samples * pixels)) + 1e-6);
    const auto [wanted, spread] = binomial_spread(samples, 1 - p);
    CHECK(wanted == Approx(p * (1 - p) * (samples - 1) / samples));
    CHECK(std::abs(variance - apart * apart * wanted) < 5 * apart * apart * std::sqrt(spread / pixels) + 1e-6);
  }
}

TEST_CASE("highlight: the mean of many samples is the answer without dropout, where the answer is linear") {
  // Of logits z the sigmoid is 1/2 + z/4 but for z^3/48.
  const double p = 0.5, weight = 0.05, largest = weight / (1 - p);
  const Model m = one_layer(p, weight, 0);
  const cv::Mat picture(40, 50, CV_32F, cv::Scalar(1));
  const double once = Highlighter(m, {})(picture).probabilities[0].at<float>(0, 0);
  const double mean = cv::mean(Highlighter(m, {.samples = 100})(picture).probabilities[0])[0];
  CHECK(std::abs(mean - once) < 5 * (largest / 4) * std::sqrt(p * (1 - p) / (100.0 * 2000)) + std::pow(largest, 3) / 24 + 1e-6);
  CHECK(once > 0.51);
}

TEST_CASE("highlight: what all looks agree on has no spread; flips and samples go together; windows draw for themselves") {
  const Model m = one_layer(0.5, 4, -1);
  cv::Mat picture = cv::Mat::zeros(32, 48, CV_32F);  // of what is 0, dropping changes nothing
  picture(cv::Rect(8, 8, 16, 16)).setTo(1);
  const auto spread = [&](const HighlightOptions& o) { return Highlighter(m, o)(picture).uncertainty.at(0); };
  const cv::Mat three = spread({.samples = 3});
  CHECK(cv::countNonZero(three) > 100);
  CHECK(cv::countNonZero(three.rowRange(0, 8)) == 0);
  // Three looks have four different means of two values, twelve have thirteen.
  const auto means = [&](const HighlightOptions& o) {
    const cv::Mat mean = Highlighter(m, o)(picture).probabilities.at(0)(cv::Rect(8, 8, 16, 16));
    std::set<long> different;
    for (int y = 0; y < mean.rows; ++y)
      for (int x = 0; x < mean.cols; ++x) different.insert(std::lround(mean.at<float>(y, x) * 1e5));
    return different.size();
  };
  CHECK(means({.samples = 3}) == 4);
  CHECK(means({.flips = true, .samples = 3}) > 8);
  CHECK(cv::norm(three, spread({.samples = 3, .seed = 1}), cv::NORM_INF) > 0);
  CHECK(cv::norm(three, spread({.samples = 3}), cv::NORM_INF) == 0);
  // Two windows of the same pixels would have the same spread, were they dropped alike.
  const cv::Mat same(16, 32, CV_32F, cv::Scalar(1));
  const cv::Mat tiles = Highlighter(m, {.window = 16, .overlap = 0, .samples = 4})(same).uncertainty.at(0);
  CHECK(cv::norm(tiles.colRange(0, 16), tiles.colRange(16, 32), cv::NORM_INF) > 0);
}

TEST_CASE("highlight: samples from files: a map, a figure for each region, the same bytes again", "[pipeline]") {
  const Folder folder;
  cv::Mat picture(40, 50, CV_8UC1, cv::Scalar(0));
  picture(cv::Rect(10, 10, 20, 10)).setTo(255);
  write_png(folder / "p.png", picture);
  const Model m = one_layer(0.25, 10, -5);
  const auto run = [&](const std::string& name, const std::string& seed) {
    const Run r = highlight(m, {(folder / "p.png").string()}, folder / name,
                            {{"samples", "12"}, {"seed", seed}, {"maps", "uncertainty"}, {"write", "mask"}});
    REQUIRE(r.result.done == 1);
    return bytes_of(folder / name);
  };
  const auto once = run("once", "3");
  CHECK(fs::exists(folder / "once/p.png.bright.uncertainty.png"));  // its numbers
  CHECK(fs::exists(folder / "once/p.png.bright.uncertainty.overlay.png"));
  CHECK_FALSE(fs::exists(folder / "once/p.png.bright.probability.png"));
  CHECK(read_image(folder / "once/p.png.bright.uncertainty.png").pixels.type() == CV_16U);
  const JsonValue region =
      read_json(folder / "once/p.png.json").at("pictures").items()[0].at("classes").items()[0].at("regions").items()[0];
  CHECK(region.at("uncertainty").number() > 0.1);
  CHECK(run("again", "3") == once);
  CHECK(run("other", "4") != once);

  const auto refused = [&](const Model& model, const std::map<std::string, std::string>& settings, const char* said) {
    CHECK(fails_with([&] { highlight(model, {(folder / "p.png").string()}, folder / "no", settings); }, said));
  };
  refused(threshold_model(), {{"samples", "4"}}, "samples are looks with dropout, and this network has none");
  refused(m, {{"maps", "uncertainty"}}, "ask for --flips, or for --samples");
  refused(m, {{"samples", "-1"}}, "--samples: expected a whole number from 0");
}

TEST_CASE("highlight: measured over samples", "[pipeline]") {
  const Folder folder;
  cv::Mat picture(24, 32, CV_8UC1, cv::Scalar(0));
  picture(cv::Rect(4, 5, 9, 7)).setTo(255);
  write_png(folder / "images/a.png", picture);
  write_png(folder / "masks/bright/a.png", picture);
  const Model m = one_layer(0.25, 10, -5);
  const auto measured = [&](const char* samples) {
    const auto evaluator = task_of(m).evaluator();
    OptionList options;
    evaluator->add_options(options);
    options.set("samples", samples);
    CHECK(evaluator->runs_only() == (std::string(samples) == "0"));
    evaluator->open(m, {folder.path()}, DType::f32);
    evaluator->add(0);
    return evaluator->json().at("classes").at(0);
  };
  const auto once = measured("0"), often = measured("30");
  CHECK(once.at("dice") == 1);
  CHECK(often.at("dice") == 1);  // the mean of three in four is still above one half
  CHECK(often.at("ece") != once.at("ece"));
}
