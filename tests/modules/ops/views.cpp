#include "modules/core/memory.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/expand.hpp"
#include "modules/ops/pad.hpp"
#include "modules/ops/permute.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/slice.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"

using namespace fovea;
using namespace fovea::test;
using V = std::vector<double>;

TEST_CASE("reshape, permute, expand") {
  const Tensors map{random_tensor({3, 4, 5, 6}, 1)};
  check_op(
      "reshape",
      [](const Vars& v) {
        return Vars{reshape(v[0], {-1, 4, 30})};
      },
      map);
  check_op("reshape", [](const Vars& v) { return Vars{reshape(v[0], {3, -1})}; }, map, {.batch_mixing = true});
  check_op("reshape",
           [](const Vars& v) {
             return Vars{reshape(v[0], {-1, 20, 6})};
           },
           map, {.bad = {{{{3, 4, 5, 7}}, "reshape: expected a shape of 420 elements"}}});
  for (const Shape& order : {Shape{0, 2, 3, 1}, Shape{0, 1, 3, 2}, Shape{0, 3, 1, 2}, Shape{0, -1, -2, -3}})
    check_op("permute", [&](const Vars& v) { return Vars{permute(v[0], order)}; }, map,
             {.bad = {{{{3, 4}}, "permute: expected 2 axes"}}});
  check_op("permute",
           [](const Vars& v) {
             return Vars{permute(v[0], {2, 0, 1})};
           },
           {random_tensor({2, 3, 4}, 2)}, {.batch_mixing = true});
  check_op("expand",
           [](const Vars& v) {
             return Vars{expand(v[0], {3, 4, 5, 6})};
           },
           {random_tensor({3, 1, 5, 1}, 3)}, {.batch_mixing = true, .bad = {{{{2, 1, 5, 1}}, "expand: expected"}}});
  check_op("expand",
           [](const Vars& v) {
             return Vars{expand(v[0], {3, 4, 5})};
           },
           {random_tensor({5}, 3)}, {.batch_mixing = true});
  CHECK_THROWS_AS(permute(Var(map[0]), {0, 1, 1, 2}), Error);
  CHECK_THROWS_AS(reshape(Var(map[0]), {-1, -1}), Error);
}

TEST_CASE("slice, split, concat") {
  const Tensors map{random_tensor({3, 8, 5, 6}, 1)};
  for (const int axis : {1, 2, -1})
    check_op(
        "slice", [&](const Vars& v) { return Vars{slice(v[0], axis, 1, -1)}; }, map);
  check_op(
      "slice", [](const Vars& v) { return Vars{slice(v[0], 1, 1, 8, 3)}; }, map);
  check_op("slice", [](const Vars& v) { return Vars{slice(v[0], 1, 2, 100)}; }, {random_tensor({3, 7}, 1)});
  check_op("split",
           [](const Vars& v) {
             return split(v[0], 1, {3, 4, 1});
           },
           map, {.bad = {{{{3, 9, 5, 6}}, "split: expected sizes that add up to 9"}}});
  check_op("split", [](const Vars& v) { return split(v[0], 0, {1, 2}); }, map, {.batch_mixing = true});
  const Tensors pair{random_tensor({3, 2, 5, 6}, 2), random_tensor({3, 4, 5, 6}, 3)};
  check_op("concat", [](const Vars& v) { return Vars{concat(v, 1)}; }, pair,
           {.bad = {{{{3, 2, 5, 6}, {3, 2, 4, 6}}, "concat: expected shapes like"}}});
  check_op("concat",
           [](const Vars& v) {
             return Vars{concat({v[0], v[1], v[0]}, -1)};
           },
           {random_tensor({3, 2}, 2), random_tensor({3, 5}, 3)});
  CHECK_THROWS_AS(concat({}, 0), Error);

  const Var x(Tensor::from(std::vector<float>{0, 1, 2, 3, 4, 5}, {6}));
  CHECK(slice(x, 0, -3, 100).value().values() == V{3, 4, 5});
  CHECK(slice(x, 0, 1, 6, 2).value().values() == V{1, 3, 5});
  CHECK(slice(x, 0, 4, 2).value().size() == 0);
  CHECK(concat({slice(x, 0, 4, 6), slice(x, 0, 0, 1)}, 0).value().values() == V{4, 5, 0});
}

TEST_CASE("a piece that nobody uses has a gradient of zero") {
  memory::fill_fresh_with_nan(true);
  Var x(Tensor::full({2, 3}, 1), true);
  const Vars parts = split(x, 1, {1, 2});
  parts[1].backward(Tensor::full({2, 2}, 1));
  memory::fill_fresh_with_nan(false);
  CHECK(x.grad().values() == V{0, 1, 1, 0, 1, 1});
}

TEST_CASE("maps stay channels-last") {
  const Var x(random_tensor({2, 8, 5, 6}, 1).to(DType::f32));
  auto is_map = [](const Var& v) { return v.value().is_dense(Layout::channels_last); };
  CHECK(is_map(slice(x, 1, 2, 6)));
  CHECK(is_map(slice(x, 2, 0, 5, 2)));
  CHECK(is_map(split(x, 1, {4, 4})[1]));
  CHECK(is_map(concat({x, x}, 1)));
  CHECK(is_map(permute(x, {0, 1, 3, 2})));
  CHECK(is_map(pad2d(x, {1, 1, 1, 1})));
  CHECK(is_map(pad(x, {0, 0, 1, 0}, {0, 0, 0, 2})));
  const Var tokens = permute(reshape(x, {2, 8, 30}), {0, 2, 1});
  CHECK(tokens.value().shares_storage(x.value()));  // (N, HW, C) is free
  CHECK(tokens.value().is_dense());
  CHECK(is_map(reshape(permute(tokens, {0, 2, 1}), {2, 8, 5, 6})));
}

TEST_CASE("pad and pad2d") {
  const Tensors map{random_tensor({2, 5, 6, 7}, 1)};
  for (const PadMode mode : {PadMode::constant, PadMode::reflect, PadMode::replicate, PadMode::circular}) {
    check_op("pad2d", [&](const Vars& v) { return Vars{pad2d(v[0], {.left = 2, .right = 3, .top = 5, .bottom = 1}, mode, 0.5)}; },
             map, {.bad = {{{{2, 5, 6}}, "pad2d: expected (N, C, H, W)"}}});
  }
  check_op("pad",
           [](const Vars& v) {
             return Vars{pad(v[0], {0, 1, 0, 2}, {0, 0, 3, 0}, -1)};
           },
           map, {.bad = {{{{2, 5, 6}}, "pad: expected paddings for 3 axes"}}});
  check_op("pad", [](const Vars& v) { return Vars{pad(v[0], {0, 2}, {0, 1})}; }, {random_tensor({3, 4}, 1)});

  const Var row(Tensor::from(std::vector<float>{1, 2, 3}, {1, 1, 1, 3}));
  auto padded = [&](PadMode mode) { return pad2d(row, {.left = 2, .right = 2}, mode, 9).value().values(); };
  CHECK(padded(PadMode::constant) == V{9, 9, 1, 2, 3, 9, 9});
  CHECK(padded(PadMode::reflect) == V{3, 2, 1, 2, 3, 2, 1});
  CHECK(padded(PadMode::replicate) == V{1, 1, 1, 2, 3, 3, 3});
  CHECK(padded(PadMode::circular) == V{2, 3, 1, 2, 3, 1, 2});
  CHECK_THROWS_AS(pad2d(row, {.left = 3}, PadMode::reflect), Error);
  CHECK_THROWS_AS(pad2d(row, {.left = 4}, PadMode::circular), Error);
  CHECK_THROWS_AS(pad2d(row, {.left = -1}), Error);
}
