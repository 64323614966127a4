#include "modules/ops/conv2d.hpp"
#include "modules/ops/deform_conv2d.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"

using namespace fovea;
using namespace fovea::test;
using V = std::vector<double>;

namespace {

// Positions between pixels: whole ones are kinks, and edges of the clamping rule are jumps.
Tensor random_offsets(const Shape& shape, std::uint64_t seed) {
  auto v = random_tensor(shape, seed, 0, 1.5).values();
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = std::floor(v[i]) + 0.125 * static_cast<double>(1 + i * 5 % 7);
  return Tensor::from(v, shape).contiguous(Layout::channels_last);
}

struct Layer {
  Shape x, weight;
  DeformOptions o;
  bool mask = true, bias = true;
};

Shape out_shape(const Layer& l) {
  Shape y{l.x[0], l.weight[0]};
  for (int a = 0; a < 2; ++a) {
    const auto i = static_cast<std::size_t>(a);
    y.push_back((l.x[2 + a] + 2 * l.o.pad[i] - l.o.dilation[i] * (l.weight[2 + a] - 1) - 1) / l.o.stride[i] + 1);
  }
  return y;
}

void check_layer(const Layer& l, const std::vector<BadShapes>& bad = {}) {
  const Shape y = out_shape(l);
  const std::int64_t samples = l.o.deform_groups * l.weight[2] * l.weight[3];
  Tensors in{random_tensor(l.x, 1), random_offsets({y[0], 2 * samples, y[2], y[3]}, 2), random_tensor(l.weight, 3)};
  OpCheck check{.parameters = {2}, .conditioning = 4, .bad = bad};
  const std::size_t mask = in.size();
  if (l.mask) in.push_back(random_tensor({y[0], samples, y[2], y[3]}, 4, 0.5, 0.25));
  if (l.bias) check.parameters.insert(in.size()), in.push_back(random_tensor({y[1]}, 5));
  check_op(
      "deform_conv2d",
      [&](const Vars& v) {
        return Vars{deform_conv2d(v[0], v[1], l.mask ? v[mask] : Var(), v[2], l.bias ? v.back() : Var(), l.o)};
      },
      in, check);
}

}  // namespace

TEST_CASE("deform_conv2d: groups, deformable groups, strides, dilations, both border rules") {
  for (const DeformBorder border : {DeformBorder::zero, DeformBorder::clamp}) {
    check_layer({{2, 8, 5, 4}, {6, 8, 3, 3}, {.pad = {1, 1}, .border = border}});
    check_layer({{2, 8, 5, 6},
                 {6, 4, 3, 2},
                 {.stride = {2, 1}, .pad = {2, 1}, .dilation = {2, 1}, .groups = 2, .deform_groups = 4, .border = border},
                 true,
                 false});
    check_layer({{2, 12, 4, 3}, {4, 6, 1, 1}, {.groups = 2, .deform_groups = 3, .border = border}, false, true});
    check_layer(
        {{1, 24, 3, 3}, {24, 1, 3, 3}, {.pad = {1, 1}, .groups = 24, .deform_groups = 1, .border = border}, false, false});
  }
  check_layer({{2, 40, 7, 6}, {32, 40, 3, 3}, {.pad = {1, 1}, .deform_groups = 2}});
  check_layer({{2, 1, 1, 1}, {1, 1, 3, 3}, {.pad = {1, 1}}});
}

// More positions than one tile holds, and a last tile of another size.
TEST_CASE("deform_conv2d: several tiles") { check_layer({{1, 64, 24, 22}, {8, 64, 3, 3}, {.pad = {1, 1}, .deform_groups = 1}}); }

TEST_CASE("deform_conv2d: messages") {
  const Shape x{1, 4, 5, 5}, offset{1, 18, 5, 5}, w{2, 4, 3, 3}, mask{1, 9, 5, 5}, bias{2};
  check_layer({{1, 4, 5, 5}, {2, 4, 3, 3}, {.pad = {1, 1}}},
              {{{{4, 5, 5}, offset, w, mask, bias}, "deform_conv2d: expected an input N x C x H x W, got 4x5x5"},
               {{x, {1, 9, 5, 5}, w, mask, bias}, "offset wants 1x18x5x5 (rows and columns of 1 x 9 taps), got 1x9x5x5"},
               {{x, offset, w, {1, 18, 5, 5}, bias}, "mask wants 1x9x5x5"},
               {{x, offset, {2, 3, 3, 3}, mask, bias}, "weight wants 3 channels, input has 4"},
               {{x, offset, w, mask, {3}}, "bias wants 2 values"}});
}

// Numbers of torchvision.ops.deform_conv2d; the clamping rule by hand.
TEST_CASE("deform_conv2d by hand") {
  const Var x(Tensor::from(V{1, 2, 3, 4}, {1, 1, 2, 2})), w(Tensor::from(V{2}, {1, 1, 1, 1}));
  const Var offset(Tensor::from(V{0.5, -0.25, 0.75, -2, 0.25, 0.5, -0.5, 0}, {1, 2, 2, 2}));
  CHECK(deform_conv2d(x, offset, {}, w, {}, {}).value().values() == V{4.5, 1.5, 0.75, 0});
  CHECK(deform_conv2d(x, offset, {}, w, {}, {.border = DeformBorder::clamp}).value().values() == V{4.5, 0, 0, 0});
  const Var far(Tensor::from(V{0.75, 1.5, 0.5, 0, 0.5, 0, 0.5, 1e30}, {1, 2, 2, 2}));
  CHECK(deform_conv2d(x, far, {}, w, {}, {.border = DeformBorder::clamp}).value().values() == V{6, 8, 7, 0});
  const Var mask(Tensor::from(V{0.5, 1, 0, 1}, {1, 1, 2, 2}));
  CHECK(deform_conv2d(x, offset, mask, w, {}, {}).value().values() == V{2.25, 1.5, 0, 0});
}

TEST_CASE("deform_conv2d: without offsets it is the convolution; a NaN offset shows") {
  const Var x(random_tensor({2, 6, 7, 5}, 1).to(DType::f32)), w(random_tensor({4, 3, 3, 3}, 2).to(DType::f32));
  const Var none(Tensor::zeros({2, 18, 4, 3}));
  const Var y = deform_conv2d(x, none, {}, w, {}, {.stride = {2, 2}, .pad = {1, 1}, .groups = 2});
  CHECK(max_difference(y.value(),
                       conv2d(x, w, {}, {.stride = {2, 2}, .pad_begin = {1, 1}, .pad_end = {1, 1}, .groups = 2}).value()) < 1e-4);
  Tensor broken = none.value().clone();
  broken.fill(std::nan(""));
  CHECK(std::isnan(deform_conv2d(x, Var(broken), {}, w, {}, {.stride = {2, 2}, .pad = {1, 1}, .groups = 2}).value().values()[0]));
}
