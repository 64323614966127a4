#include "modules/ops/conv2d.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/mix.hpp"
#include "tests/support/bf16.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"

using namespace fovea;
using namespace fovea::test;
using V = std::vector<double>;

namespace {

struct Layer {
  std::int64_t in, out, kernel, height, width;
  Conv2dOptions options;
};

Shape weight_shape(const Layer& l) {
  const auto g = l.options.groups;
  return l.options.transposed ? Shape{l.in, l.out / g, l.kernel, l.kernel} : Shape{l.out, l.in / g, l.kernel, l.kernel};
}

Conv2dOptions with(std::int64_t stride, std::int64_t pad, std::int64_t dilation = 1, std::int64_t groups = 1) {
  return {.stride = {stride, stride},
          .dilation = {dilation, dilation},
          .pad_begin = {pad, pad},
          .pad_end = {pad, pad},
          .groups = groups};
}

Conv2dOptions transposed(std::int64_t stride, std::int64_t pad, std::int64_t output_pad, std::int64_t groups = 1) {
  Conv2dOptions o = with(stride, pad, 1, groups);
  o.transposed = true;
  o.output_pad = {output_pad, output_pad};
  return o;
}

void check_layer(const Layer& l, bool bias = true) {
  INFO(l.in << " to " << l.out << ", kernel " << l.kernel << ", stride " << l.options.stride[0] << ", groups " << l.options.groups
            << (l.options.transposed ? ", transposed" : ""));
  Tensors in{random_tensor({3, l.in, l.height, l.width}, 1), random_tensor(weight_shape(l), 2, 0, 0.3)};
  if (bias) in.push_back(random_tensor({l.out}, 3));
  OpCheck check{.parameters = {1, 2}, .conditioning = 2};
  Shapes narrow{{3, l.in + 1, l.height, l.width}, weight_shape(l)}, flat{{3, l.in, l.height}, weight_shape(l)};
  if (bias) narrow.push_back({l.out}), flat.push_back({l.out});
  check.bad = {{narrow, "conv2d: weight wants"}, {flat, "conv2d: expected an input N x C x H x W"}};
  check_op(
      "conv2d", [&](const Vars& v) { return Vars{conv2d(v[0], v[1], bias ? v[2] : Var(), l.options)}; }, in, check);
}

// The definition, with nothing shared with the library.
Tensor plain_convolution(const Tensor& x, const Tensor& w, std::int64_t stride, std::int64_t pad, std::int64_t dilation,
                         std::int64_t groups) {
  const auto xv = x.values(), wv = w.values();
  const std::int64_t oc = w.dim(0), ic = w.dim(1), k = w.dim(2), h = x.dim(2), width = x.dim(3);
  const std::int64_t oh = (h + 2 * pad - dilation * (k - 1) - 1) / stride + 1,
                     ow = (width + 2 * pad - dilation * (k - 1) - 1) / stride + 1;
  std::vector<double> y;
  for (std::int64_t n = 0; n < x.dim(0); ++n)
    for (std::int64_t o = 0; o < oc; ++o)
      for (std::int64_t i = 0; i < oh; ++i)
        for (std::int64_t j = 0; j < ow; ++j) {
          double sum = 0;
          for (std::int64_t c = 0; c < ic; ++c)
            for (std::int64_t a = 0; a < k; ++a)
              for (std::int64_t b = 0; b < k; ++b) {
                const std::int64_t r = i * stride - pad + a * dilation, s = j * stride - pad + b * dilation;
                const std::int64_t channel = o / (oc / groups) * ic + c;
                if (r < 0 || r >= h || s < 0 || s >= width) continue;
                sum += xv[static_cast<std::size_t>(((n * x.dim(1) + channel) * h + r) * width + s)] *
                       wv[static_cast<std::size_t>(((o * ic + c) * k + a) * k + b)];
              }
          y.push_back(sum);
        }
  return Tensor::from(y, {x.dim(0), oc, oh, ow});
}

}  // namespace

TEST_CASE("conv2d: kernels, strides, pads, dilation, groups") {
  check_layer({3, 32, 3, 9, 12, with(1, 1)});
  check_layer({1, 1, 1, 5, 4, with(1, 0)});
  check_layer({24, 40, 1, 7, 6, with(1, 0)}, false);
  check_layer({16, 24, 3, 10, 9, with(2, 1)});
  check_layer({8, 12, 3, 11, 10, with(1, 2, 2)});
  check_layer({5, 7, 5, 9, 9, with(3, 2)});
  check_layer({8, 16, 3, 8, 7, with(1, 1, 1, 4)});
  check_layer({32, 12, 3, 6, 6, with(1, 1)});
  Conv2dOptions uneven;
  uneven.pad_begin = {0, 1}, uneven.pad_end = {2, 0}, uneven.stride = {1, 2};
  check_layer({4, 8, 3, 7, 9, uneven});
}

TEST_CASE("conv2d: depthwise") {
  check_layer({24, 24, 3, 9, 8, with(1, 1, 1, 24)});
  check_layer({16, 16, 5, 9, 10, with(2, 2, 1, 16)});
  check_layer({7, 7, 3, 6, 6, with(1, 1, 1, 7)}, false);
  check_layer({4, 8, 3, 6, 6, with(1, 1, 1, 4)});
  check_layer({40, 40, 5, 9, 12, with(2, 2, 1, 40)});
  Conv2dOptions uneven = with(2, 0, 1, 24);  // a map of even size under a stride, padded at its end alone
  uneven.pad_end = {1, 1};
  check_layer({24, 24, 3, 8, 8, uneven});
}

TEST_CASE("conv2d: transposed") {
  check_layer({16, 8, 2, 5, 6, transposed(2, 0, 0)});
  check_layer({6, 9, 3, 5, 4, transposed(2, 1, 1)});
  check_layer({8, 8, 4, 5, 6, transposed(2, 1, 0)}, false);
  check_layer({8, 12, 3, 5, 6, transposed(1, 1, 0, 4)});
  check_layer({6, 6, 4, 4, 5, transposed(2, 1, 0, 6)});
}

TEST_CASE("conv2d: activation and residual") {
  for (const Activation a : {Activation::none, Activation::relu, Activation::leaky_relu, Activation::sigmoid, Activation::tanh})
    for (const bool add : {false, true}) {
      Conv2dOptions o = with(1, 1);
      o.activation = a, o.slope = 0.2;
      Tensors in{random_tensor({2, 16, 6, 7}, 1), random_tensor({24, 16, 3, 3}, 2, 0, 0.1), random_tensor({24}, 3)};
      if (add) in.push_back(random_tensor({2, 24, 6, 7}, 4));
      // A slope read from an output rounded to bf16 carries that rounding into every gradient, hence the factor.
      check_op("conv2d", [&](const Vars& v) { return Vars{conv2d(v[0], v[1], v[2], o, add ? v[3] : Var())}; }, in,
               {.parameters = {1, 2}, .conditioning = 4});
    }
  CHECK_THROWS_AS(
      conv2d(Var(Tensor::zeros({1, 4, 5, 5})), Var(Tensor::zeros({8, 4, 3, 3})), {}, {}, Var(Tensor::zeros({1, 8, 5, 5}))),
      Error);
  CHECK_THROWS_AS(conv2d(Var(Tensor::zeros({1, 4, 2, 2})), Var(Tensor::zeros({8, 4, 3, 3})), {}, {}), Error);
}

TEST_CASE("conv2d against the definition") {
  for (const std::int64_t groups : {1, 2, 8})
    for (const std::int64_t stride : {1, 2}) {
      const std::int64_t dilation = stride == 1 ? 2 : 1;
      const Tensor x = random_tensor({2, 8, 7, 9}, 1), w = random_tensor({16, 8 / groups, 3, 3}, 2);
      const Tensor want = plain_convolution(x, w, stride, 2, dilation, groups);
      const Conv2dOptions o = with(stride, 2, dilation, groups);
      CHECK(max_difference(conv2d(Var(x), Var(w), {}, o).value(), want) < 1e-12);
      CHECK(max_difference(conv2d(Var(x.to(DType::f32)), Var(w.to(DType::f32)), {}, o).value(), want) < 1e-4);
      // <conv(x), y> = <x, conv_transposed(y)> ties the transposed form to the plain one.
      const Tensor y = random_tensor(want.shape(), 3);
      Conv2dOptions back = o;
      back.transposed = true;
      back.output_pad = {7 - ((want.dim(2) - 1) * stride + dilation * 2 + 1 - 4),
                         9 - ((want.dim(3) - 1) * stride + dilation * 2 + 1 - 4)};
      const auto a = want.values(), b = y.values(), c = x.values(), d = conv2d(Var(y), Var(w), {}, back).value().values();
      double left = 0, right = 0;
      for (std::size_t i = 0; i < a.size(); ++i) left += a[i] * b[i];
      for (std::size_t i = 0; i < c.size(); ++i) right += c[i] * d[i];
      CHECK(left == Approx(right));
    }
}

TEST_CASE("conv2d in bf16: 1x1 over odd numbers of channels and many numbers of positions") {
  if (!has_bf16()) return;
  const auto map = [](std::int64_t c, std::int64_t w, std::uint64_t seed) {
    return random_tensor({1, c, 10, w}, seed).to(DType::bf16).contiguous(Layout::channels_last);
  };
  for (const bool transposed : {false, true})
    for (const bool residual : {false, true})
      for (const std::int64_t width : {7, 12, 30})
        for (const std::int64_t c : {9, 16, 21}) {
          INFO(c << " channels, 10x" << width << (transposed ? ", transposed" : "") << (residual ? ", with a residual" : ""));
          const Tensor w = random_tensor({c, c, 1, 1}, 1).to(DType::bf16);
          const auto evaluate = [&](DType type, bool gradient) {
            Var x(map(c, width, 2).to(type));
            x.set_requires_grad(gradient);
            const Precision precision(type);
            const Var z = residual ? Var(map(c, width, 3).to(type)) : Var();
            const Var y = conv2d(x, Var(w.to(type == DType::f64 ? type : DType::f32)), {}, {.transposed = transposed}, z);
            if (gradient) y.backward(map(c, width, 4).to(type));
            return gradient ? x.grad() : y.value();
          };
          for (const bool gradient : {false, true}) {
            const Tensor want = evaluate(DType::f64, gradient);
            double largest = 0;
            for (const double v : want.values()) largest = std::max(largest, std::abs(v));
            // Products of bf16 are exact in f32: what is left is the rounding of the result, and of a sum of 22 terms below 25 each.
            const double bound = largest / 256 + 22 * 22 * 25.0 / 16777216;
            CHECK(max_difference(evaluate(DType::bf16, gradient), want) <= bound);
          }
        }
}

TEST_CASE("matmul and linear") {
  check_op("matmul", [](const Vars& v) { return Vars{matmul(v[0], v[1])}; },
           {random_tensor({3, 17, 31}, 1), random_tensor({3, 31, 9}, 2)},
           {.conditioning = 2, .bad = {{{{3, 17, 31}, {3, 30, 9}}, "matmul"}, {{{3, 17, 31}, {31}}, "matmul"}}});
  check_op("matmul", [](const Vars& v) { return Vars{matmul(v[0], v[1])}; },
           {random_tensor({17, 31}, 1), random_tensor({31, 9}, 2)}, {.batch_mixing = true, .conditioning = 2});
  check_op("matmul", [](const Vars& v) { return Vars{matmul(v[0], v[1])}; },
           {random_tensor({2, 3, 8, 16}, 1), random_tensor({2, 1, 16, 5}, 2)}, {.conditioning = 2});
  check_op(
      "linear", [](const Vars& v) { return Vars{linear(v[0], v[1], v[2])}; },
      {random_tensor({3, 7, 33}, 1), random_tensor({20, 33}, 2, 0, 0.2), random_tensor({20}, 3)},
      {.parameters = {1, 2}, .conditioning = 2, .bad = {{{{3, 7, 32}, {20, 33}, {20}}, "linear: weight wants 33 features"}}});
  check_op("linear", [](const Vars& v) { return Vars{linear(v[0], v[1])}; }, {random_tensor({3, 5}, 1), random_tensor({1, 5}, 2)},
           {.parameters = {1}, .conditioning = 2});
  const Var a(Tensor::from(std::vector<float>{1, 2, 3, 4}, {2, 2})), b(Tensor::from(std::vector<float>{5, 6, 7, 8}, {2, 2}));
  CHECK(matmul(a, b).value().values() == V{19, 22, 43, 50});
  CHECK(linear(a, b, Var(Tensor::from(std::vector<float>{1, -1}, {2}))).value().values() == V{18, 22, 40, 52});
}

TEST_CASE("mix") {
  for (const int k : {1, 2, 3}) {
    Tensors in{random_tensor({2, k}, 1)};
    for (int i = 0; i < k; ++i) in.push_back(random_tensor({2, 5, 6, 7}, static_cast<std::uint64_t>(2 + i)));
    auto f = [](double slope) { return [slope](const Vars& v) { return Vars{mix(v[0], Vars(v.begin() + 1, v.end()), slope)}; }; };
    Shapes wrong{{2, k + 1}};
    for (int i = 0; i < k; ++i) wrong.push_back({2, 5, 6, 7});
    check_op("mix", f(0.2), in, {.conditioning = 2, .bad = {{wrong, "mix"}}});
    check_op("mix", f(1), in, {.conditioning = 2});
  }
}
