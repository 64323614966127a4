// The filter of four times two states against the textbook's of eight, in matrices.
#include "pipeline/tracking/box_filter.hpp"

#include <cmath>

#include "modules/core/random.hpp"
#include "tests/support/catch.hpp"

using namespace fovea;

namespace {

using State = cv::Matx<double, 8, 1>;
using Square = cv::Matx<double, 8, 8>;
using Measured = cv::Matx<double, 4, 1>;

Measured measured(const Box& b) { return {(b.x1 + b.x2) / 2, (b.y1 + b.y2) / 2, b.width() / b.height(), b.height()}; }

// Values of DeepSORT's code, which counts in frames of 1/30 s.
struct Reference {
  State x;
  Square p = Square::zeros();

  explicit Reference(const Box& box) {
    const Measured z = measured(box);
    for (int i = 0; i < 4; ++i) x(i) = z(i);
    const double h = z(3), position = 2 * h / 20, velocity = 30 * 10 * h / 160;
    const double deviations[] = {position, position, 1e-2, position, velocity, velocity, 30 * 1e-5, velocity};
    for (int i = 0; i < 8; ++i) p(i, i) = deviations[i] * deviations[i];
  }
  void predict(double t) {
    Square f = Square::eye(), q = Square::zeros();
    const double h = x(3), position = h / 20, velocity = 30 * h / 160;
    const double deviations[] = {position, position, 1e-2, position, velocity, velocity, 30 * 1e-5, velocity};
    for (int i = 0; i < 8; ++i) q(i, i) = deviations[i] * deviations[i] * t * 30;
    for (int i = 0; i < 4; ++i) f(i, i + 4) = t;
    x = f * x;
    p = f * p * f.t() + q;
  }
  void update(const Box& box) {
    cv::Matx<double, 4, 8> h = cv::Matx<double, 4, 8>::zeros();
    cv::Matx<double, 4, 4> r = cv::Matx<double, 4, 4>::zeros();
    for (int i = 0; i < 4; ++i) h(i, i) = 1, r(i, i) = std::pow(i == 2 ? 1e-1 : x(3) / 20, 2);
    const cv::Matx<double, 4, 4> s = h * p * h.t() + r;
    const cv::Matx<double, 8, 4> gain = p * h.t() * s.inv();
    x = x + gain * (measured(box) - h * x);
    p = p - gain * s * gain.t();
  }
};

void check_equal(const BoxFilter& filter, const Reference& reference) {
  for (int i = 0; i < 4; ++i) {
    INFO("coordinate " << i);
    const auto& c = filter.state()[static_cast<std::size_t>(i)];
    const auto close = [](double a, double b) { CHECK(a == Approx(b).epsilon(1e-9).margin(1e-9)); };
    close(c.value, reference.x(i)), close(c.speed, reference.x(i + 4));
    close(c.variance, reference.p(i, i)), close(c.covariance, reference.p(i, i + 4));
    close(c.speed_variance, reference.p(i + 4, i + 4));
  }
}

Box random_box(Random& random, double x, double y) {
  const double w = 40 + 10 * random.uniform(), h = 90 + 20 * random.uniform();
  return {x + random.normal(), y + random.normal(), x + w, y + h};
}

}  // namespace

TEST_CASE("box filter: equal to the filter of eight states in matrices, at any rate of frames", "[tracking]") {
  for (std::uint64_t i = 0; i < 20; ++i) {
    Random random(31, i);
    const Box first = random_box(random, 100, 200);
    BoxFilter filter(first);
    Reference reference(first);
    check_equal(filter, reference);
    for (int frame = 1; frame < 40; ++frame) {
      const double seconds = random.below(5) == 0 ? 0 : 0.2 * random.uniform();
      filter.predict(seconds), reference.predict(seconds);
      if (random.below(3) == 0) continue;
      const Box seen = random_box(random, 100 + 2 * frame, 200 - frame);
      filter.update(seen), reference.update(seen);
      check_equal(filter, reference);
    }
  }
}

TEST_CASE("box filter: learns a speed, and a frame more or less does not matter to it", "[tracking]") {
  const auto at = [](double t) { return Box{100 + 60 * t, 50, 140 + 60 * t, 150}; };
  BoxFilter every(at(0)), third(at(0));
  for (int frame = 1; frame <= 90; ++frame) {
    every.predict(1.0 / 30);
    every.update(at(frame / 30.0));
    if (frame % 3 == 0) third.predict(0.1), third.update(at(frame / 30.0));
  }
  CHECK(every.state()[0].speed == Approx(60).epsilon(0.02));
  CHECK(third.state()[0].speed == Approx(60).epsilon(0.02));
  every.predict(0.5);
  CHECK(iou(every.box(), at(3.5)) > 0.95);
}

TEST_CASE("box filter: no time, no change; sizes stay above zero", "[tracking]") {
  const Box box{10, 10, 30, 60};
  BoxFilter still(box);
  still.predict(0);
  CHECK(iou(still.box(), box) == Approx(1));
  BoxFilter shrinking({0, 0, 400, 400});
  for (int frame = 1; frame < 8; ++frame) {
    shrinking.predict(1.0 / 30);
    shrinking.update({0, 0, 400 - 50.0 * frame, 400 - 50.0 * frame});
  }
  CHECK(shrinking.state()[3].speed < -500);
  const double before = shrinking.box().height();
  shrinking.predict(10);
  CHECK(shrinking.box().height() == Approx(before / 2));
  shrinking.hold_size();
  shrinking.predict(10);
  CHECK(shrinking.box().height() == Approx(before / 2));
  // The widest and the tallest, one after the other.
  BoxFilter extreme({-1e7, 0, 1e7, 1e-9});
  for (int frame = 0; frame < 50; ++frame) {
    extreme.predict(10);
    extreme.update(frame % 2 == 0 ? Box{0, -1e7, 1e-9, 1e7} : Box{-1e7, 0, 1e7, 1e-9});
    REQUIRE(is_valid(extreme.box()));
  }
}
