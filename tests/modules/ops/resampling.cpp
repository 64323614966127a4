#include "modules/ops/pixel_shuffle.hpp"
#include "modules/ops/resize.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"

using namespace fovea;
using namespace fovea::test;
using V = std::vector<double>;

TEST_CASE("pixel_shuffle and pixel_unshuffle") {
  for (const std::int64_t r : {2, 3}) {
    check_op("pixel_shuffle", [&](const Vars& v) { return Vars{pixel_shuffle(v[0], r)}; },
             {random_tensor({2, 3 * r * r, 4, 5}, 1)},
             {.bad = {{{{2, 3 * r * r + 1, 4, 5}}, "pixel_shuffle"}, {{{2, 4}}, "pixel_shuffle"}}});
    check_op("pixel_unshuffle", [&](const Vars& v) { return Vars{pixel_unshuffle(v[0], r)}; },
             {random_tensor({2, 3, 4 * r, 5 * r}, 1)}, {.bad = {{{{2, 3, 4 * r + 1, 5 * r}}, "pixel_unshuffle"}}});
  }
  // Channels 0..3 of one position become its 2 x 2 block, row by row.
  const Var x(Tensor::from(std::vector<float>{0, 1, 10, 11, 20, 21, 30, 31}, {1, 4, 1, 2}));
  CHECK(pixel_shuffle(x, 2).value().values() == V{0, 10, 1, 11, 20, 30, 21, 31});
  CHECK(pixel_unshuffle(pixel_shuffle(x, 2), 2).value().values() == x.value().values());
}

TEST_CASE("resize") {
  for (const Resize mode : {Resize::nearest, Resize::bilinear, Resize::bilinear_align_corners})
    for (const auto& [h, w] : {std::pair<std::int64_t, std::int64_t>{12, 10}, {3, 4}, {7, 13}, {1, 1}})
      check_op("resize", [&, h = h, w = w](const Vars& v) { return Vars{resize(v[0], h, w, mode)}; },
               {random_tensor({2, 5, 6, 7}, 1)}, {.bad = {{{{2, 5, 6}}, "resize: expected N x C x H x W"}}});
  check_op("upsample", [](const Vars& v) { return Vars{upsample(v[0], 2, Resize::bilinear)}; },
           {random_tensor({2, 32, 4, 5}, 2)});
}

// Numbers of torch.nn.functional.interpolate.
TEST_CASE("resize by hand") {
  const Var row(Tensor::from(std::vector<double>{0, 1, 2, 3}, {1, 1, 1, 4}));
  CHECK(resize(row, 1, 2, Resize::nearest).value().values() == V{0, 2});
  CHECK(resize(row, 1, 6, Resize::nearest).value().values() == V{0, 0, 1, 2, 2, 3});
  const Var pair(Tensor::from(std::vector<double>{0, 4}, {1, 1, 1, 2}));
  CHECK(resize(pair, 1, 4, Resize::bilinear).value().values() == V{0, 1, 3, 4});
  CHECK(resize(pair, 1, 5, Resize::bilinear_align_corners).value().values() == V{0, 1, 2, 3, 4});
  CHECK(resize(row, 1, 2, Resize::bilinear).value().values() == V{0.5, 2.5});
  CHECK(resize(row, 1, 2, Resize::bilinear_align_corners).value().values() == V{0, 3});
  CHECK(resize(row, 1, 1, Resize::bilinear_align_corners).value().values() == V{0});
}
