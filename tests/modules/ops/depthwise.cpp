// Our depthwise kernels against the direct loops in double, whatever oneDNN would be asked for.
#include "modules/ops/kernels/depthwise.hpp"

#include "modules/core/threads.hpp"
#include "modules/ops/conv2d_naive.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

struct Layer {
  std::int64_t channels, height, width, kernel;
  kernels::Depthwise d;
  std::array<std::int64_t, 2> pad_end;
};

struct Results {
  Tensor y, gx, gw;
};

Tensor map_of(const Shape& shape, DType type) { return Tensor::empty(shape, type, Layout::channels_last); }

Results direct(const Conv2dOptions& o, const Tensor& x, const Tensor& w, const Tensor& gy) {
  Results r{map_of(gy.shape(), DType::f64), map_of(x.shape(), DType::f64), Tensor::empty(w.shape(), DType::f64)};
  naive::conv_forward(o, x, w, r.y);
  naive::conv_backward_data(o, gy, w, r.gx);
  naive::conv_backward_weights(o, x, gy, r.gw);
  return r;
}

void compare(const Layer& l) {
  INFO(l.channels << " channels, " << l.height << " x " << l.width << ", kernel " << l.kernel << ", stride " << l.d.stride[0]);
  const Conv2dOptions o{
      .stride = l.d.stride, .dilation = l.d.dilation, .pad_begin = l.d.pad, .pad_end = l.pad_end, .groups = l.channels};
  const Tensor x = random_tensor({3, l.channels, l.height, l.width}, 1),
               w = random_tensor({l.channels, 1, l.kernel, l.kernel}, 2);
  const Tensor gy = random_tensor(conv2d_shape(x.shape(), w.shape(), o), 3);
  const Results want = direct(o, x, w, gy);
  for (const DType type : {DType::f32, DType::bf16}) {
    const double bound = type == DType::f32 ? 1e-4 : 0.1;
    const Tensor narrow = w.to(DType::f32).contiguous(Layout::row_major);
    Results got{map_of(gy.shape(), type), map_of(x.shape(), type), Tensor::empty(w.shape())};
    kernels::depthwise_forward(l.d, x.to(type), narrow, got.y);
    kernels::depthwise_backward_data(l.d, gy.to(type), narrow, got.gx);
    CHECK(max_difference(got.y, want.y) < bound);
    CHECK(max_difference(got.gx, want.gx) < bound);
    if (l.d.dilation[0] != 1) continue;
    REQUIRE(kernels::depthwise_backward_weights(l.d, x.to(type), gy.to(type), got.gw));
    CHECK(max_difference(got.gw, want.gw) < 1e-3);  // sums in f32 of products that both types hold exactly
    Tensor again = Tensor::empty(w.shape());
    const ThreadScope two(2);
    kernels::depthwise_backward_weights(l.d, x.to(type), gy.to(type), again);
    CHECK(again.values() == got.gw.values());
  }
}

}  // namespace

TEST_CASE("depthwise kernels: strides, pads, tails of channels, maps smaller than the kernel") {
  for (const std::int64_t channels : {1, 7, 16, 39})
    for (const std::int64_t kernel : {3, 5})
      for (const std::int64_t stride : {1, 2, 3}) {
        const std::int64_t pad = kernel / 2;
        compare({channels, 11, 14, kernel, {.stride = {stride, stride}, .pad = {pad, pad}}, {pad, pad}});
        compare({channels, 3, 2, kernel, {.stride = {stride, stride}, .pad = {pad, pad}}, {pad, pad}});
      }
  compare({20, 9, 13, 3, {.stride = {2, 1}, .pad = {0, 1}}, {1, 2}});
  compare({20, 8, 8, 5, {.stride = {2, 2}, .pad = {1, 1}}, {2, 2}});
  compare({20, 12, 9, 3, {.dilation = {2, 2}, .pad = {2, 2}}, {2, 2}});
  compare({6, 9, 9, 7, {.dilation = {2, 1}, .pad = {6, 3}}, {6, 3}});
}

TEST_CASE("depthwise kernels: other kernels than 3x3 and 5x5 have no gradient of weights here") {
  Tensor gw = Tensor::empty({4, 1, 7, 7});
  CHECK_FALSE(kernels::depthwise_backward_weights({.pad = {3, 3}}, map_of({1, 4, 8, 8}, DType::f32),
                                                  map_of({1, 4, 8, 8}, DType::f32), gw));
}
