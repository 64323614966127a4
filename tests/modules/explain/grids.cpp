// Cells lie where their receptive fields are centred: through strides, paddings, pools, resizing, odd sizes and tokens.
#include "modules/autograd/tap.hpp"
#include "modules/explain/layers.hpp"
#include "modules/ops/conv2d.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/pad.hpp"
#include "modules/ops/permute.hpp"
#include "modules/ops/pixel_shuffle.hpp"
#include "modules/ops/pool2d.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/resize.hpp"
#include "modules/ops/softmax.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using namespace fovea::explain;
using fovea::test::fails_with;

namespace {

// Every output is the sum of its window.
Var summed(const Var& x, std::int64_t kernel, std::int64_t stride, std::int64_t pad_begin, std::int64_t pad_end,
           std::int64_t dilation = 1) {
  return conv2d(x, Var(Tensor::full({1, x.dim(1), kernel, kernel}, 1)), {},
                {.stride = {stride, stride},
                 .dilation = {dilation, dilation},
                 .pad_begin = {pad_begin, pad_begin},
                 .pad_end = {pad_end, pad_end}});
}

// The middle of the input pixels that cell (i, j) of the only tap depends on, measured with one bright pixel at a time.
struct Middle {
  double y = 0, x = 0;
};
Middle measured(const ForwardFunction& network, std::int64_t height, std::int64_t width, std::int64_t i, std::int64_t j) {
  std::int64_t top = height, bottom = -1, left = width, right = -1;
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x) {
      Tensor picture = Tensor::zeros({1, 1, height, width}, DType::f32, Layout::channels_last);
      picture.data<float>()[y * width + x] = 1;
      TapScope taps("**");
      network(Var(picture));
      const Tensor& map = taps.kept.back().second.value();
      if (map.slice(2, i, i + 1).slice(3, j, j + 1).values()[0] == 0) continue;
      top = std::min(top, y), bottom = std::max(bottom, y), left = std::min(left, x), right = std::max(right, x);
    }
  return {static_cast<double>(top + bottom) / 2, static_cast<double>(left + right) / 2};
}

void check_inner_cell(const ForwardFunction& network, std::int64_t height, std::int64_t width, std::int64_t i, std::int64_t j) {
  const Layer layer = layers_of(network, {1, 1, height, width}).back();
  REQUIRE(layer.grid.exact);
  const Middle middle = measured(network, height, width, i, j);
  CHECK(layer.grid.start_y + static_cast<double>(i) * layer.grid.stride_y == Approx(middle.y));
  CHECK(layer.grid.start_x + static_cast<double>(j) * layer.grid.stride_x == Approx(middle.x));
}

}  // namespace

TEST_CASE("explain: a cell lies on the middle of its receptive field, measured with a bright pixel") {
  check_inner_cell([](const Var& x) { return tap("a", summed(x, 3, 2, 1, 1)); }, 21, 17, 3, 4);
  check_inner_cell([](const Var& x) { return tap("a", summed(summed(x, 3, 2, 1, 1), 5, 3, 2, 2)); }, 37, 41, 2, 3);
  check_inner_cell([](const Var& x) { return tap("a", summed(x, 3, 2, 0, 1)); }, 22, 18, 3, 4);  // as TensorFlow pads even sizes
  check_inner_cell([](const Var& x) { return tap("a", summed(x, 3, 1, 2, 2, 2)); }, 19, 23, 6, 7);
  check_inner_cell([](const Var& x) { return tap("a", max_pool2d(summed(x, 7, 2, 3, 3), {.kernel = 3, .stride = 2, .pad = 1})); },
                   45, 39, 4, 4);
  check_inner_cell(
      [](const Var& x) { return tap("a", summed(pad2d(x, {.left = 2, .right = 1, .top = 3, .bottom = 0}), 4, 4, 0, 0)); }, 21, 25,
      2, 3);
  check_inner_cell([](const Var& x) { return tap("a", avg_pool2d(pixel_shuffle(pixel_unshuffle(x, 2), 2), {.kernel = 4})); }, 20,
                   24, 2, 3);
}

TEST_CASE("explain: transposed convolutions and shuffles go back to finer grids") {
  const auto shuffled = layers_of([](const Var& x) { return tap("a", pixel_unshuffle(x, 4)); }, {1, 1, 16, 24}).back().grid;
  CHECK(shuffled == Grid{4, 6, 1.5, 1.5, 4, 4});
  const auto back =
      layers_of([](const Var& x) { return tap("a", pixel_shuffle(pixel_unshuffle(x, 4), 4)); }, {1, 1, 16, 24}).back().grid;
  CHECK(back == pixel_grid(16, 24));
  // Enlarged cells share their place evenly, whatever fills them.
  for (const Resize mode : {Resize::nearest, Resize::bilinear})
    CHECK(layers_of([&](const Var& x) { return tap("a", resize(avg_pool2d(x, {.kernel = 4}), 8, 12, mode)); }, {1, 1, 16, 24})
              .back()
              .grid == Grid{8, 12, 0.5, 0.5, 2, 2});
  const auto transposed = layers_of(
      [](const Var& x) {
        const Var coarse = conv2d(x, Var(Tensor::full({1, 1, 2, 2}, 1)), {}, {.stride = {2, 2}});
        return tap("a", conv2d(coarse, Var(Tensor::full({1, 1, 2, 2}, 1)), {}, {.stride = {2, 2}, .transposed = true}));
      },
      {1, 1, 12, 8});
  CHECK(transposed.back().grid == pixel_grid(12, 8));
}

TEST_CASE("explain: what a tap holds is told by its shape and place") {
  const ForwardFunction network = [](const Var& x) {
    const Var map = tap("map", conv2d(x, Var(Tensor::full({4, 1, 4, 4}, 1)), {}, {.stride = {4, 4}}));  // 1 x 4 x 5 x 3
    tap("spatial", mean(map, {1}));
    tap("channel", mean(map, {2, 3}));
    const Var tokens = tap("tokens", reshape(permute(map, {0, 2, 3, 1}), {1, 15, 4}));
    const Var few = reshape(permute(avg_pool2d(pad2d(map, {.right = 1, .bottom = 1}), {.kernel = 2}), {0, 2, 3, 1}), {1, 6, 4});
    tap("attention", reshape(softmax(matmul(tokens, permute(tokens, {0, 2, 1})), -1), {1, 1, 15, 15}));
    tap("attention", softmax(matmul(few, permute(few, {0, 2, 1})), -1));
    return map;
  };
  const auto layers = layers_of(network, {1, 1, 20, 12});
  REQUIRE(layers.size() == 6);
  const Grid grid{5, 3, 1.5, 1.5, 4, 4};
  CHECK((layers[0].kind == LayerKind::map && layers[0].grid == grid));
  CHECK((layers[1].kind == LayerKind::spatial && layers[1].grid == grid));
  CHECK(layers[2].kind == LayerKind::channel);
  CHECK((layers[3].kind == LayerKind::tokens && layers[3].grid == grid && layers[3].prefix == 0));
  CHECK((layers[4].kind == LayerKind::attention && layers[4].grid == grid));
  CHECK(layers[5].name == "attention#2");
  CHECK(layers[5].grid == Grid{3, 2, 3.5, 3.5, 8, 8});
  CHECK(deepest_map(layers) == "tokens");
}

TEST_CASE("explain: gates of several channels and attention that was averaged already have positions too") {
  const ForwardFunction network = [](const Var& x) {
    const Var map = tap("gate", conv2d(x, Var(Tensor::full({4, 1, 4, 4}, 1)), {}, {.stride = {4, 4}}));  // 1 x 4 x 5 x 3
    tap("received", reshape(mean(map, {1}), {1, 1, 1, 15}));
    return tap("logits", reshape(mean(map, {2, 3}), {1, 4}));
  };
  const auto layers = layers_of(network, {1, 1, 20, 12});
  REQUIRE(layers.size() == 3);
  CHECK(layers[0].kind == LayerKind::spatial);
  CHECK((layers[1].kind == LayerKind::received && layers[1].grid == layers[0].grid));
  CHECK(layers[2].kind == LayerKind::other);
}

TEST_CASE("explain: a layer that is not there is answered with the nearest and with all") {
  const auto layers = layers_of([](const Var& x) { return tap("channel", mean(tap("layer4", x), {2, 3})); }, {1, 3, 4, 4});
  const auto choose = [&](const std::string& glob) { return choose_layers(layers, glob, {LayerKind::map}, "grad_cam"); };
  CHECK(choose("layer*").size() == 1);
  CHECK(fails_with([&] { choose("layer5"); }, "no layer is called 'layer5'; did you mean 'layer4'?; grad_cam can use layer4"));
  CHECK(fails_with([&] { choose("channel"); }, "grad_cam cannot use the layer channel (channel gate"));
}

TEST_CASE("explain: a network that reads values on its way is run instead of traced") {
  const ForwardFunction network = [](const Var& x) {
    return x.value().values()[0] > 1 ? x : tap("half", avg_pool2d(x, {.kernel = 2}));
  };
  const Layer layer = layers_of(network, {1, 2, 8, 6}).back();
  CHECK(layer.name == "half");
  CHECK_FALSE(layer.grid.exact);
  CHECK(layer.grid == even_grid(4, 3, 8, 6));
}

TEST_CASE("explain: between cell centres a map is linear, beyond them it stays") {
  const Map map{"m", {2, 2, 1.5, 0.5, 4, 2}, {0, 1, 10, 11}};
  CHECK(map.at(1.5, 0.5) == 0);
  CHECK(map.at(5.5, 2.5) == 11);
  CHECK(map.at(3.5, 1.5) == Approx(5.5));
  CHECK(map.at(-3, 9) == 1);
  CHECK(map.on_pixels(8, 4).size() == 32);
}
