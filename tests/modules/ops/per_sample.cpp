#include "modules/ops/concat.hpp"
#include "modules/ops/conv2d_per_sample.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/slice.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"

using namespace fovea;
using namespace fovea::test;

TEST_CASE("conv2d_per_sample") {
  const auto check = [](const Shape& x, const Shape& w, bool bias, const Conv2dOptions& o, const OpCheck& options = {}) {
    Tensors in{random_tensor(x, 1), random_tensor(w, 2)};
    if (bias) in.push_back(random_tensor({x[0], w[1]}, 3));
    check_op(
        "conv2d_per_sample", [&](const Vars& v) { return Vars{conv2d_per_sample(v[0], v[1], bias ? v[2] : Var(), o)}; }, in,
        options);
  };
  check({3, 8, 5, 4}, {3, 6, 8, 3, 3}, true, {.pad_begin = {1, 1}, .pad_end = {1, 1}});
  check({2, 8, 6, 5}, {2, 4, 4, 3, 3}, false,
        {.stride = {2, 2}, .dilation = {2, 2}, .pad_begin = {2, 2}, .pad_end = {2, 2}, .groups = 2});
  check({2, 5, 3, 3}, {2, 7, 5, 1, 1}, true, {},
        {.bad = {{{{2, 5, 3, 3}, {3, 7, 5, 1, 1}, {2, 7}}, "conv2d_per_sample: expected a weight 2 x O x I/groups"},
                 {{{2, 5, 3, 3}, {2, 7, 4, 1, 1}, {2, 7}}, "weight wants 4 channels"},
                 {{{2, 5, 3, 3}, {2, 7, 5, 1, 1}, {7}}, "bias wants 2x7"}}});
}

TEST_CASE("conv2d_per_sample: each sample is an ordinary convolution") {
  const Var x(random_tensor({3, 16, 9, 7}, 1).to(DType::f32)), w(random_tensor({3, 24, 16, 3, 3}, 2).to(DType::f32));
  const Conv2dOptions o{.pad_begin = {1, 1}, .pad_end = {1, 1}};
  Vars each;
  for (std::int64_t n = 0; n < 3; ++n)
    each.push_back(conv2d(slice(x, 0, n, n + 1), reshape(slice(w, 0, n, n + 1), {24, 16, 3, 3}), {}, o));
  CHECK(max_difference(conv2d_per_sample(x, w, {}, o).value(), concat(each, 0).value()) < 1e-4);
}
