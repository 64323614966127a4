#include "modules/preprocess.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using test::fails_with;

namespace {
Preprocess read(const std::string& text) { return read_preprocess(Yaml::parse(text, "r.yaml")); }
}  // namespace

TEST_CASE("preprocess: what a recipe may say, and what it means when it says nothing") {
  const Preprocess plain = read("{}");
  CHECK((plain.height == 224 && plain.width == 224 && plain.crop_fraction == 0.875));
  CHECK((plain.resize == Preprocess::Resize::crop && plain.interpolation == Preprocess::Interpolation::bilinear));
  CHECK(plain.mean[0] == 0.485);
  CHECK(plain.pad == plain.mean);
  const Preprocess p = read(
      "size: [96, 128]\nresize: letterbox\ninterpolation: bicubic\ncolour: bgr\nmean: 0.5\nstd: [0.1, 0.2, 0.3]\npad: 0.447\n");
  CHECK((p.height == 96 && p.width == 128));
  CHECK((p.resize == Preprocess::Resize::letterbox && p.interpolation == Preprocess::Interpolation::bicubic));
  CHECK(p.colour == Preprocess::Colour::bgr);
  CHECK(p.mean == std::vector<double>{0.5, 0.5, 0.5});
  CHECK(p.stddev == std::vector<double>{0.1, 0.2, 0.3});
  CHECK(p.pad == std::vector<double>{0.447, 0.447, 0.447});
  CHECK(read("mean: [0, 0, 0]").pad == std::vector<double>{0.0, 0.0, 0.0});
  CHECK(read("size: 160").width == 160);
}

TEST_CASE("preprocess: nonsense is refused by name and line") {
  CHECK(fails_with([] { read("size: 160\nresise: crop"); }, "did you mean 'resize'?"));
  CHECK(fails_with([] { read("resize: squash"); }, "resize: expected one of crop, letterbox, none, stretch; got 'squash'"));
  CHECK(fails_with([] { read("interpolation: lanczos"); }, "area, bicubic, bilinear"));
  CHECK(fails_with([] { read("colour: lab"); }, "colour"));
  for (const char* size : {"0", "-3", "20000", "[1, 2, 3]", "[]", "x", "[224, 0]", "1.5"})
    CHECK(fails_with([&] { read(std::string("size: ") + size); }, "size"));
  for (const char* fraction : {"0", "1.01", "-1", "nan"})
    CHECK(fails_with([&] { read(std::string("crop_fraction: ") + fraction); }, "crop_fraction"));
  CHECK(fails_with([] { read("std: [1, 0, 1]"); }, "std: expected numbers above 0"));
  CHECK(fails_with([] { read("mean: [1, 0]"); }, "mean: expected one number or 3, got 2"));
  CHECK(fails_with([] { read("mean: [a, b, c]"); }, "mean: expected a number"));
}
