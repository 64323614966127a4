// Insertion, deletion and the pointing game on scores whose curves are known.
#include "modules/explain/faithfulness.hpp"

#include <cmath>
#include <limits>

#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using namespace fovea::explain;
using fovea::test::fails_with;

namespace {

// The sum of all values: removing a pixel lowers it by the pixel.
std::vector<double> total(const Tensor& batch) {
  std::vector<double> sums;
  for (std::int64_t i = 0; i < batch.dim(0); ++i) {
    double sum = 0;
    for (const double v : batch.slice(0, i, i + 1).values()) sum += v;
    sums.push_back(sum);
  }
  return sums;
}

Tensor corner() {  // 4 x 4, one channel: the first row is 1, the rest 0
  Tensor x = Tensor::zeros({1, 1, 4, 4}, DType::f32, Layout::channels_last);
  for (std::int64_t i = 0; i < 4; ++i) x.data<float>()[i] = 1;
  return x;
}

Map row_map(bool good) {
  Map map{"m", pixel_grid(4, 4), std::vector<double>(16, good ? 0.0 : 1.0)};
  for (std::size_t i = 0; i < 4; ++i) map.values[i] = good ? 1 : 0;
  return map;
}

}  // namespace

TEST_CASE("explain: areas under known curves") {
  CHECK(area_under({0, 1}, {1, 1}) == 1);
  CHECK(area_under({0, 1}, {1, 0}) == 0.5);
  CHECK(area_under({0, 0.25, 1}, {0, 1, 1}) == Approx(0.125 + 0.75));
  CHECK(area_under({2, 4}, {0, 2}) == 1);  // divided by the range
  CHECK(fails_with([] { area_under({0}, {1}); }, "at least two points"));
}

TEST_CASE("explain: deletion falls at once and insertion rises at once for the right map") {
  const FaithfulnessOptions o{.steps = 4, .batch = 3};
  const Curve good = deletion(total, corner(), row_map(true), Blank::zero, o);
  CHECK(good.fractions == std::vector<double>{0, 0.25, 0.5, 0.75, 1});
  CHECK(good.scores == std::vector<double>{4, 0, 0, 0, 0});
  CHECK(good.area == Approx(0.5));
  const Curve bad = deletion(total, corner(), row_map(false), Blank::zero, o);
  CHECK(bad.scores == std::vector<double>{4, 4, 4, 4, 0});
  CHECK(insertion(total, corner(), row_map(true), Blank::zero, o).scores == std::vector<double>{0, 4, 4, 4, 4});
  CHECK(insertion(total, corner(), row_map(false), Blank::zero, o).area == Approx(0.5));
  // Whatever the batch.
  CHECK(deletion(total, corner(), row_map(true), Blank::zero, {.steps = 4, .batch = 64}).scores == good.scores);
  CHECK(fails_with([] { deletion(total, corner(), row_map(true), Blank::zero, {.steps = 0}); }, "at least one step"));
}

TEST_CASE("explain: a blurred picture keeps its mean colour and loses its detail") {
  Tensor x = Tensor::zeros({1, 3, 32, 24}, DType::f32, Layout::channels_last);
  for (std::int64_t i = 0; i < 32 * 24; ++i) x.data<float>()[i * 3 + 1] = (i / 24 + i % 24) % 2 ? 1.0f : -1.0f;
  const Tensor blurred = blank_picture(x, Blank::blurred);
  double most = 0;
  for (const double v : blurred.values()) most = std::max(most, std::abs(v));
  CHECK(most < 0.3);  // at the corners the repeated edge leaves a little
  const Tensor flat = Tensor::full({1, 3, 8, 8}, 0.75, DType::f32, Layout::channels_last);
  for (const double v : blank_picture(flat, Blank::blurred).values()) CHECK(v == Approx(0.75));
  for (const double v : blank_picture(x, Blank::zero).values()) CHECK(v == 0);
}

TEST_CASE("explain: the pointing game counts the highest finite place") {
  std::vector<double> pixels(100 * 50, 0.0);
  pixels[20 * 100 + 70] = 1;  // row 20, column 70
  pixels[5] = std::numeric_limits<double>::quiet_NaN();
  CHECK(pointing_hit(pixels, 100, {{0, 0, 5, 5}, {60, 10, 80, 30}}));
  CHECK(pointing_hit(pixels, 100, {{60, 10, 68, 30}}));
  CHECK_FALSE(pointing_hit(pixels, 100, {{60, 10, 68, 30}}, 0));
  CHECK(pointing_hit(pixels, 100, {{70, 20, 71, 21}}, 0));
  CHECK_FALSE(pointing_hit(pixels, 100, {}));
  CHECK_FALSE(pointing_hit({}, 100, {{0, 0, 1, 1}}));
}
