// Geometry of tiles: properties over many sizes, and the memory bound.
#include "pipeline/stages/tiles.hpp"

#include <algorithm>

#include "modules/core/error.hpp"
#include "modules/core/random.hpp"
#include "tests/support/catch.hpp"

using namespace fovea;

namespace {

// All that a plan promises, for one image.
void require_plan(cv::Size image, cv::Size core, int halo) {
  CAPTURE(image.width, image.height, core.width, core.height, halo);
  const auto tiles = plan_tiles(image, core, halo);
  const cv::Rect all({0, 0}, image);
  cv::Mat covered = cv::Mat::zeros(image, CV_32S);
  int narrowest = image.width, widest = 0, lowest = image.height, highest = 0;
  for (const Tile& t : tiles) {
    REQUIRE((t.window & all) == t.window);
    REQUIRE((t.core & t.window) == t.core);
    REQUIRE(t.window.size() == tiles[0].window.size());
    const cv::Rect wanted = cv::Rect(t.core.x - halo, t.core.y - halo, t.core.width + 2 * halo, t.core.height + 2 * halo) & all;
    REQUIRE((wanted & t.window) == wanted);
    covered(t.core) += 1;
    narrowest = std::min(narrowest, t.core.width), widest = std::max(widest, t.core.width);
    lowest = std::min(lowest, t.core.height), highest = std::max(highest, t.core.height);
  }
  double least = 0, most = 0;
  cv::minMaxLoc(covered, &least, &most);
  REQUIRE(least == 1);
  REQUIRE(most == 1);
  REQUIRE(widest <= core.width);
  REQUIRE(highest <= core.height);
  REQUIRE(widest - narrowest <= 1);
  REQUIRE(highest - lowest <= 1);
}

}  // namespace

TEST_CASE("tiles cover every small image exactly once") {
  for (int height = 1; height <= 9; ++height)
    for (int width = 1; width <= 9; ++width)
      for (int core = 1; core <= 10; ++core)
        for (int halo = 0; halo <= 4; halo += 2) require_plan({width, height}, {core, core}, halo);
}

TEST_CASE("tiles keep their promises over random sizes") {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Random random(seed);
    const auto draw = [&](int most) { return 1 + static_cast<int>(random.below(most)); };
    const cv::Size image(draw(400), draw(400));
    require_plan(image, {draw(300), draw(300)}, draw(60) - 1);
  }
}

TEST_CASE("tile plans refuse what cannot be cut") {
  CHECK_THROWS_AS(plan_tiles({0, 5}, {4, 4}, 1), Error);
  CHECK_THROWS_AS(plan_tiles({5, 5}, {0, 4}, 1), Error);
  CHECK_THROWS_AS(plan_tiles({5, 5}, {4, 4}, -1), Error);
  CHECK_THROWS_AS(sample_windows({5, 5}, 0, 4), Error);
}

TEST_CASE("the chosen core keeps the window within the budget") {
  CHECK(choose_core({100, 50}, 20, 5000) == cv::Size(100, 50));
  CHECK(choose_core({1, 1}, 20, 1) == cv::Size(1, 1));
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    Random random(seed);
    const auto draw = [&](int most) { return 1 + static_cast<int>(random.below(most)); };
    const cv::Size image(draw(20000), draw(20000));
    const int halo = draw(40);
    const std::size_t pixels = 160 * 160 + static_cast<std::size_t>(random.below(1 << 20));
    CAPTURE(image.width, image.height, halo, pixels);
    const cv::Rect window = plan_tiles(image, choose_core(image, halo, pixels), halo)[0].window;
    CHECK(static_cast<std::size_t>(window.area()) <= pixels);
  }
  const cv::Size thin = choose_core({3, 1000000}, 10, 300000);
  CHECK(thin == cv::Size(3, 100000 - 20));
  CHECK(choose_core({5000, 5000}, 30, 100) == cv::Size(30, 30));
}

TEST_CASE("samples lie in the image, cover it where few are enough, and do not change") {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Random random(seed);
    const cv::Size image(1 + static_cast<int>(random.below(3000)), 1 + static_cast<int>(random.below(3000)));
    const auto windows = sample_windows(image, 128, 16);
    CAPTURE(image.width, image.height);
    REQUIRE(!windows.empty());
    REQUIRE(windows.size() <= 16);
    int area = 0;
    for (const cv::Rect& w : windows) {
      REQUIRE((w & cv::Rect({0, 0}, image)) == w);
      REQUIRE(std::max(w.width, w.height) <= 128);
      area += w.area();
    }
    if (windows.size() < 16) CHECK(area == image.area());
    CHECK(windows == sample_windows(image, 128, 16));
  }
  // Every quarter of a large picture is seen.
  int quarters[4] = {};
  for (const cv::Rect& w : sample_windows({4000, 3000}, 128, 16)) ++quarters[(w.x + 64) / 2000 + 2 * ((w.y + 64) / 1500)];
  for (int seen : quarters) CHECK(seen >= 2);
}
