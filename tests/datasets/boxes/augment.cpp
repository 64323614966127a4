#include "datasets/boxes/augment.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <opencv2/imgproc.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/images.hpp"

using namespace fovea;
using test::fails_with;

namespace {

// Objects have the colours of the corners of the cube, whose bits are the label; everything else is mid-grey.
constexpr int kGrey = 128;

cv::Vec3b colour_of(std::int64_t label) {
  cv::Vec3b c;
  for (int i = 0; i < 3; ++i) c[i] = label >> i & 1 ? 255 : 0;
  return c;
}

// `count` rectangles apart from each other, labelled from `first` on.
BoxPicture painted(cv::Size size, int first, int count, std::uint64_t seed, bool grey = false) {
  BoxPicture p{cv::Mat(size, CV_8UC3, cv::Scalar::all(kGrey)), {}};
  Random random(seed, 77);
  const auto part = [&](int length) { return std::max<std::int64_t>(1, length / 8 + random.below(length / 4 + 1)); };
  for (int attempt = 0; attempt < 200 && static_cast<int>(p.annotations.size()) < count; ++attempt) {
    const std::int64_t w = part(size.width), h = part(size.height), x = random.below(size.width - w + 1),
                       y = random.below(size.height - h + 1);
    const cv::Rect r(static_cast<int>(x), static_cast<int>(y), static_cast<int>(w), static_cast<int>(h));
    const cv::Rect around(r.x - 2, r.y - 2, r.width + 4, r.height + 4);
    if (std::any_of(p.annotations.begin(), p.annotations.end(),
                    [&](const Annotation& a) { return intersection(a.box, to_box(around)) > 0; }))
      continue;
    const std::int64_t label = (first + static_cast<int>(p.annotations.size())) % 8;
    cv::rectangle(p.pixels, r, cv::Scalar(colour_of(label)), cv::FILLED);
    p.annotations.push_back({to_box(r), label});
  }
  if (grey) cv::extractChannel(p.pixels, p.pixels, 0);
  return p;
}

// How strongly a pixel has the label's colour: 0 none, 127 all.
int strength(const cv::Vec3b& pixel, std::int64_t label) {
  int least = 255;
  for (int i = 0; i < 3; ++i) least = std::min(least, label >> i & 1 ? pixel[i] - kGrey : kGrey - pixel[i]);
  return least;
}

int strongest(const cv::Mat& pixels, std::int64_t label, const cv::Rect& area) {
  int most = 0;
  for (int y = area.y; y < area.br().y; ++y)
    for (int x = area.x; x < area.br().x; ++x) most = std::max(most, strength(pixels.at<cv::Vec3b>(y, x), label));
  return most;
}

// Around the pixels in `area` that have half of the label's colour or more.
Box found(const cv::Mat& pixels, std::int64_t label, const cv::Rect& area, int full) {
  Box b{1e9, 1e9, -1e9, -1e9};
  for (int y = area.y; y < area.br().y; ++y)
    for (int x = area.x; x < area.br().x; ++x)
      if (2 * strength(pixels.at<cv::Vec3b>(y, x), label) >= full)
        b = {std::min(b.x1, 1.0 * x), std::min(b.y1, 1.0 * y), std::max(b.x2, x + 1.0), std::max(b.y2, y + 1.0)};
  return b;
}

Box grown(const Box& b, double by) { return {b.x1 - by, b.y1 - by, b.x2 + by, b.y2 + by}; }

// Far from the others: what an object looks like is its own.
bool stands_alone(const BoxPicture& p, const Annotation& a) {
  return std::none_of(p.annotations.begin(), p.annotations.end(),
                      [&](const Annotation& o) { return &o != &a && intersection(grown(o.box, 4), grown(a.box, 5)) > 0; });
}

// Every box is on the picture; those that stand alone have their object's edges. Where colours have changed (`faded`), the
// strongest pixel is the whole object's. Returns how many were compared.
int check_boxes(const BoxPicture& p, double margin = 0.75, bool faded = false) {
  int compared = 0;
  for (const Annotation& a : p.annotations) {
    REQUIRE(is_valid(a.box));
    REQUIRE(clipped(a.box, p.pixels.size()) == a.box);
    if (a.box.width() < 3 || a.box.height() < 3 || !stands_alone(p, a)) continue;
    const cv::Rect area = to_pixels(grown(a.box, 4)) & cv::Rect({0, 0}, p.pixels.size());
    const int full = faded ? std::max(20, strongest(p.pixels, a.label, area)) : 127;
    const Box b = found(p.pixels, a.label, area, full);
    INFO("label " << a.label << ": given " << cv::Mat(cv::Vec4d(a.box.x1, a.box.y1, a.box.x2, a.box.y2)).t() << ", found "
                  << cv::Mat(cv::Vec4d(b.x1, b.y1, b.x2, b.y2)).t() << " of " << p.pixels.size());
    REQUIRE(std::max({std::abs(a.box.x1 - b.x1), std::abs(a.box.y1 - b.y1), std::abs(a.box.x2 - b.x2),
                      std::abs(a.box.y2 - b.y2)}) <= margin);
    ++compared;
  }
  return compared;
}

// No pixel has an object's colour beside the boxes of its label.
void check_all_boxed(const BoxPicture& p) {
  int beside = 0;
  for (int y = 0; y < p.pixels.rows; ++y)
    for (int x = 0; x < p.pixels.cols; ++x)
      for (std::int64_t label = 0; label < 8; ++label) {
        if (strength(p.pixels.at<cv::Vec3b>(y, x), label) < 90) continue;
        const auto holds = [&](const Annotation& a) {
          return a.label == label && intersection(grown(a.box, 1.3), {1.0 * x, 1.0 * y, x + 1.0, y + 1.0}) > 0;
        };
        beside += std::none_of(p.annotations.begin(), p.annotations.end(), holds);
      }
  REQUIRE(beside == 0);
}

Preprocess network(int width, int height, Preprocess::Resize resize = Preprocess::Resize::letterbox) {
  Preprocess p;
  p.width = width, p.height = height, p.resize = resize;
  p.pad = {kGrey / 255.0, kGrey / 255.0, kGrey / 255.0};
  return p;
}

// Nothing is drawn: the picture as validation sees it.
BoxAugment nothing() {
  BoxAugment a;
  a.scale_low = a.scale_high = 1;
  a.translate = a.flip = a.min_visible = 0;
  return a;
}

struct Operation {
  const char* name;
  std::function<void(BoxAugment&)> set;
  double margin = 0.75;
};

const std::vector<Operation>& operations() {
  static const std::vector<Operation> all{
      {"none", [](BoxAugment&) {}},
      {"scale", [](BoxAugment& a) { a.scale_low = 0.4, a.scale_high = 1.8; }},
      {"scale and place", [](BoxAugment& a) { a.scale_low = 0.3, a.scale_high = 3, a.translate = 1; }},
      {"aspect", [](BoxAugment& a) { a.aspect = 0.5, a.translate = 0.5; }},
      {"flip", [](BoxAugment& a) { a.flip = 0.5; }},
      {"flip_vertical", [](BoxAugment& a) { a.flip_vertical = 0.5; }},
      {"rotate90", [](BoxAugment& a) { a.rotate90 = 0.8; }},
      {"mosaic", [](BoxAugment& a) { a.mosaic = 1, a.scale_high = 1.5, a.scale_low = 0.4, a.translate = 1; }},
      {"copy_paste", [](BoxAugment& a) { a.copy_paste = 1; }},
      {"mixup", [](BoxAugment& a) { a.mixup = a.translate = 1, a.scale_low = 0.3, a.scale_high = 0.8; }},
      {"colour",
       [](BoxAugment& a) { a.colour.brightness = a.colour.contrast = 0.2, a.colour.saturation = 0.2, a.colour.hue = 0.02; }, 1},
      {"blur and noise", [](BoxAugment& a) { a.blur = 0.7, a.noise = 3; }},
      {"all",
       [](BoxAugment& a) {
         a.mosaic = a.copy_paste = a.mixup = a.flip = a.flip_vertical = a.rotate90 = 0.5;
         a.scale_low = 0.5, a.scale_high = 1.5, a.aspect = 0.3, a.translate = 1, a.colour.brightness = 0.1, a.blur = 0.4,
         a.noise = 2;
       },
       1},
  };
  return all;
}

const std::array<cv::Size, 7> kSizes{cv::Size(64, 48), {61, 37}, {33, 90}, {1, 1}, {3000, 20}, {20, 3000}, {640, 480}};

AnotherPicture others(cv::Size size, bool grey = false) {
  return [size, grey, count = 0](Random& random) mutable {
    return painted(size, 2 + 2 * (count++ % 3), 2, static_cast<std::uint64_t>(random.below(1000)), grey);
  };
}

BoxAugment read(const std::string& text) {
  Args args = Yaml::parse(text, "r.yaml").args();
  const BoxAugment a = read_box_augment(args);
  args.done();
  return a;
}

}  // namespace

TEST_CASE("box augment: boxes lie where their objects are, after each change alone and all together") {
  for (const Operation& operation : operations()) {
    int compared = 0;
    for (const cv::Size size : kSizes)
      for (const cv::Size canvas : {cv::Size(160, 160), cv::Size(121, 87)})
        for (std::uint64_t seed = 0; seed < 16; ++seed) {
          BoxAugment a = nothing();
          operation.set(a);
          Random random(seed, 5);
          INFO(operation.name << " " << size.width << "x" << size.height << " seed " << seed);
          const BoxPicture out =
              augmented(painted(size, 0, 2, seed), others(size), network(canvas.width, canvas.height), a, random);
          REQUIRE((out.pixels.type() == CV_8UC3 && out.pixels.size() == canvas));
          compared += check_boxes(out, operation.margin, a.mixup > 0 || a.colour.brightness > 0);
          if (a.copy_paste == 0 && a.mixup == 0 && a.blur == 0 && a.colour.brightness == 0) check_all_boxed(out);
        }
    INFO(operation.name);
    CHECK(compared > 150);
  }
}

TEST_CASE("box augment: every way to fit a picture, small and large networks") {
  using R = Preprocess::Resize;
  for (const R resize : {R::letterbox, R::stretch, R::crop, R::none})
    for (const cv::Size canvas : {cv::Size(1, 1), cv::Size(7, 200), cv::Size(900, 30), cv::Size(160, 128)}) {
      int compared = 0;
      for (const cv::Size size : kSizes)
        for (std::uint64_t seed = 0; seed < 6; ++seed) {
          BoxAugment a = nothing();
          operations().back().set(a);
          if (seed % 2) a = BoxAugment();
          a.colour = {}, a.blur = a.noise = a.mixup = 0;
          Random random(seed, 6);
          INFO(size.width << "x" << size.height << " seed " << seed << " on " << canvas.width << "x" << canvas.height);
          compared += check_boxes(
              augmented(painted(size, 0, 2, seed), others(size), network(canvas.width, canvas.height, resize), a, random), 1.5);
        }
      CHECK((canvas.width < 160 || compared > 20));
    }
}

TEST_CASE("box augment: without anything random pictures and boxes are as validation shows them") {
  for (const cv::Size size : {cv::Size(64, 48), cv::Size(61, 37), cv::Size(640, 481)})
    for (const auto resize : {Preprocess::Resize::letterbox, Preprocess::Resize::stretch, Preprocess::Resize::crop}) {
      const BoxPicture picture = painted(size, 0, 3, 9);
      const Preprocess p = network(75, 52, resize);
      Random random(1);
      const BoxPicture out = augmented(picture, nullptr, p, nothing(), random);
      const Geometry g = geometry_of(size, p);
      const std::vector<Annotation> boxes = to_network(picture.annotations, g);
      REQUIRE(out.annotations.size() == boxes.size());
      for (std::size_t i = 0; i < boxes.size(); ++i) {
        const Box &x = out.annotations[i].box, &y = boxes[i].box;
        for (const double d : {x.x1 - y.x1, x.y1 - y.y1, x.x2 - y.x2, x.y2 - y.y2}) CHECK(std::abs(d) < 1e-9);
        CHECK(out.annotations[i].label == boxes[i].label);
      }
      const cv::Mat shown = fitted(picture.pixels, p);
      CHECK(cv::norm(out.pixels, shown, cv::NORM_L1) / static_cast<double>(shown.total() * 3) < 4);  // means against a triangle
    }
}

TEST_CASE("box augment: boxes to the network and back") {
  const Geometry g = geometry_of({640, 480}, network(320, 320));
  const Box b{64, 48, 320, 480}, there = to_network(b, g), back = to_source(there, g);
  CHECK((there == Box{32, 64, 160, 280} && back == b));
  const std::vector<Annotation> all{{{-10, -10, 20, 20}, 1, false, 90}, {{640, 0, 700, 20}, 2}};
  const auto seen = to_network(all, g);
  REQUIRE(seen.size() == 1);
  CHECK((seen[0].box == Box{0, 40, 10, 50} && seen[0].label == 1 && seen[0].area == Approx(10)));
}

TEST_CASE("box augment: crops keep an object in sight") {
  BoxPicture p{cv::Mat(480, 640, CV_8UC3, cv::Scalar::all(kGrey)), {{{600, 440, 630, 470}, 0}, {{0, 0, 640, 480}, 1, true}}};
  BoxAugment a = nothing();
  a.translate = 1, a.min_visible = 0.5, a.scale_low = a.scale_high = 4;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    const auto out = augmented(p, nullptr, network(96, 96), a, random).annotations;
    REQUIRE(std::any_of(out.begin(), out.end(), [](const Annotation& o) { return !o.ignored; }));
  }
}

TEST_CASE("box augment: pictures without objects, boxes that cover everything, and objects of others") {
  const BoxPicture empty = painted({64, 48}, 0, 0, 1),
                   full{cv::Mat(50, 50, CV_8UC3, cv::Scalar(0, 0, 255)), {{{0, 0, 50, 50}, 4}}};
  BoxAugment all = nothing();
  operations().back().set(all);
  int pasted = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Random random(seed);
    const auto from = [&](const BoxPicture& p) { return [p](Random&) { return p; }; };
    CHECK(augmented(empty, from(empty), network(75, 53), all, random).annotations.empty());
    check_boxes(augmented(full, from(empty), network(75, 53), all, random), 1, true);
    BoxAugment a = nothing();
    a.copy_paste = 1;
    const BoxPicture out = augmented(empty, from(painted({64, 48}, 0, 2, seed)), network(96, 96), a, random);
    pasted += static_cast<int>(out.annotations.size());
    check_boxes(out);
    CHECK(augmented(full, from(full), network(50, 50), a, random).annotations.size() == 1);  // nothing may hide it
  }
  CHECK((pasted > 100 && pasted <= 200));
}

TEST_CASE("box augment: pasted objects hide little of what is there") {
  BoxAugment a = nothing();
  a.copy_paste = 1, a.scale_low = 0.5;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Random random(seed);
    const BoxPicture picture = painted({200, 150}, 0, 2, seed);
    const auto before = to_network(picture.annotations, geometry_of({200, 150}, network(96, 96)));
    BoxAugment still = a;
    still.scale_low = 1;
    const BoxPicture out = augmented(picture, others({200, 150}), network(96, 96), still, random);
    REQUIRE(out.annotations.size() >= before.size());
    for (std::size_t i = 0; i < before.size(); ++i) {
      CHECK(iou(out.annotations[i].box, before[i].box) > 0.999);
      int shown = 0;
      const cv::Rect area = to_pixels(before[i].box);
      for (int y = area.y; y < area.br().y; ++y)
        for (int x = area.x; x < area.br().x; ++x) shown += strength(out.pixels.at<cv::Vec3b>(y, x), before[i].label) > 60;
      CHECK(shown > 0.6 * before[i].box.area());  // with the soft edges of what is pasted beside it
    }
  }
}

TEST_CASE("box augment: grey pictures among coloured ones, for networks of one channel and of three") {
  for (const bool grey : {true, false})
    for (const int channels : {1, 3}) {
      Preprocess p = network(96, 80);
      p.channels = channels;
      if (channels == 1) p.mean = p.stddev = p.pad = {kGrey / 255.0};
      for (std::uint64_t seed = 0; seed < 20; ++seed) {
        BoxAugment a = nothing();
        operations().back().set(a);
        Random random(seed);
        BoxPicture picture = painted({80, 60}, 7, 1, seed, grey);
        const BoxPicture out = augmented(picture, others({80, 60}, !grey), p, a, random);
        REQUIRE(out.pixels.type() == CV_8UC3);
        Random alone(seed);
        BoxAugment single = a;
        single.mosaic = single.copy_paste = single.mixup = 0;
        CHECK(check_boxes(augmented(picture, nullptr, p, single, alone), 1, true) <= 1);
      }
    }
}

TEST_CASE("box augment: a function of the generator; the picture that is given stays as it is") {
  BoxAugment a;
  operations().back().set(a);
  const BoxPicture picture = painted({90, 70}, 0, 2, 3);
  const cv::Mat before = picture.pixels.clone();
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Random one(seed), two(seed), three(seed + 100);
    const BoxPicture x = augmented(picture, others({90, 70}), network(96, 96), a, one),
                     y = augmented(picture, others({90, 70}), network(96, 96), a, two),
                     z = augmented(picture, others({90, 70}), network(96, 96), a, three);
    CHECK((cv::norm(x.pixels, y.pixels, cv::NORM_INF) == 0 && x.annotations == y.annotations));
    CHECK(cv::norm(x.pixels, z.pixels, cv::NORM_INF) > 0);
    CHECK(cv::norm(picture.pixels, before, cv::NORM_INF) == 0);
  }
}

TEST_CASE("box augment: turns and reflections happen as often as asked") {
  BoxPicture p{cv::Mat(40, 40, CV_8UC3, cv::Scalar::all(kGrey)), {{{0, 0, 20, 10}, 0}}};
  const auto share = [&](const std::function<void(BoxAugment&)>& set, const Box& where) {
    int there = 0;
    for (std::uint64_t seed = 0; seed < 1000; ++seed) {
      BoxAugment a = nothing();
      set(a);
      Random random(seed);
      const Box b = augmented(p, nullptr, network(40, 40), a, random).annotations.at(0).box;
      there += iou(b, where) > 0.99;
    }
    return there / 1000.0;
  };
  CHECK(share([](BoxAugment& a) { a.flip = 0.3; }, {20, 0, 40, 10}) == Approx(0.3).margin(0.05));
  CHECK(share([](BoxAugment& a) { a.flip_vertical = 0.3; }, {0, 30, 20, 40}) == Approx(0.3).margin(0.05));
  for (const Box& turned : {Box{30, 0, 40, 20}, Box{20, 30, 40, 40}, Box{0, 20, 10, 40}})  // clockwise by 90, 180, 270 degrees
    CHECK(share([](BoxAugment& a) { a.rotate90 = 0.6; }, turned) == Approx(0.2).margin(0.05));
}

TEST_CASE("box augment: a recipe's keys, and what is refused") {
  const BoxAugment a = read(
      "mosaic: 0.8\ncopy_paste: 0.1\nmixup: 0.2\nmixup_alpha: 16\nscale: [0.2, 2]\naspect: 0.1\ntranslate: 0.5\nmin_visible: "
      "0.3\n"
      "flip: 0\nflip_vertical: 0.1\nrotate90: 0.2\nbrightness: 0.4\nhue: 0.1\nblur: 1\nnoise: 4\n");
  CHECK((a.mosaic == 0.8 && a.copy_paste == 0.1 && a.mixup == 0.2 && a.mixup_alpha == 16 && a.scale_low == 0.2 &&
         a.scale_high == 2));
  CHECK((a.aspect == 0.1 && a.translate == 0.5 && a.min_visible == 0.3 && a.flip == 0 && a.flip_vertical == 0.1 &&
         a.rotate90 == 0.2));
  CHECK((a.colour.brightness == 0.4 && a.colour.hue == 0.1 && a.colour.contrast == 0 && a.blur == 1 && a.noise == 4));
  CHECK((a.takes_others() && !read("{}").takes_others()));
  CHECK(fails_with([] { read("mosiac: 1"); }, "did you mean 'mosaic'?"));
  CHECK(fails_with([] { read("crop_scale: [0.1, 1]"); }, "crop_scale"));
  for (const char* bad : {"mosaic: 1.5", "mixup: nan", "mixup_alpha: 0", "hue: 0.6", "aspect: -1", "noise: 1000", "blur: -1"})
    CHECK(fails_with([&] { read(bad); }, "expected"));
  for (const char* bad : {"[0.5]", "[0.9, 0.5]", "[0, 1]", "[1, 1000]", "[nan, 1]", "[1, 2, 3]"})
    CHECK(fails_with([&] { read(std::string("scale: ") + bad); }, "scale: expected"));
}

TEST_CASE("box augment: pictures and networks that it does not take are refused") {
  Random random;
  const BoxPicture fine = painted({20, 20}, 0, 1, 1);
  CHECK(fails_with([&] { augmented({cv::Mat(4, 4, CV_16UC3), {}}, nullptr, network(9, 9), {}, random); }, "8-bit"));
  CHECK(fails_with([&] { augmented({}, nullptr, network(9, 9), {}, random); }, "8-bit"));
  CHECK(fails_with([&] { augmented(fine, nullptr, network(0, 9), {}, random); }, "given size"));
  Preprocess many = network(9, 9);
  many.channels = 4;
  CHECK(fails_with([&] { augmented(fine, nullptr, many, {}, random); }, "1 or 3 channels"));
  BoxAugment a;
  a.mosaic = 1;
  CHECK(fails_with([&] { augmented(fine, nullptr, network(9, 9), a, random); }, "need other pictures"));
  CHECK(fails_with(
      [&] {
        augmented(
            fine, [](Random&) { return BoxPicture(); }, network(9, 9), a, random);
      },
      "8-bit"));
}
