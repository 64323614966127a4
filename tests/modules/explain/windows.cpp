// Attention in (shifted) windows as a map of the picture: one bright place, found where it is.
#include <algorithm>

#include "modules/autograd/tap.hpp"
#include "modules/explain/methods.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/conv2d.hpp"
#include "tests/support/catch.hpp"

using namespace fovea;
using namespace fovea::explain;

namespace {

constexpr std::int64_t kWindow = 4, kPatch = 2;

// A Swin block over patches of 2 x 2 pixels whose queries all look for a bright patch, far beyond the -100 of the mask.
struct Seeker {
  std::shared_ptr<ParamStore> store = std::make_shared<ParamStore>(5);
  std::unique_ptr<Block> block;

  Seeker(const std::string& name, std::int64_t shift, const std::string& padding) {
    const std::string side = std::to_string(kWindow), by = std::to_string(shift);
    block = Registry::global().make(name, Scope(store) / "block", 2,
                                    Args("test", {{"padding", padding}}, {}, {{"window", {side}}, {"shift", {by}}}));
    set("attn.qkv.weight", {0, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1});  // keys and values are the tokens
    set("attn.qkv.bias", {300, -300, 0, 0, 0, 0});
    set("attn.relative_position_bias_table", std::vector<float>((2 * kWindow - 1) * (2 * kWindow - 1)));
  }
  void set(const std::string& parameter, const std::vector<float>& values) {
    Var v = store->find("block." + parameter)->value;
    v.set_value(Tensor::from(values, v.shape()));
  }
  // A patch (s, 1 - s): s is 1 where it is bright.
  Var operator()(const Var& picture) const {
    Tensor weight = Tensor::zeros({2, 1, kPatch, kPatch});
    for (std::int64_t i = 0; i < 4; ++i) weight.data<float>()[i] = 0.25f, weight.data<float>()[4 + i] = -0.25f;
    const Var bias(Tensor::from(std::vector<float>{0, 1}, {2}));
    return (*block)(conv2d(picture, Var(weight), bias, {.stride = {kPatch, kPatch}}));
  }
};

struct Place {
  std::int64_t row, column;
};

Map map_of(const Seeker& seeker, std::int64_t rows, std::int64_t columns, const Place& bright) {
  Tensor x = Tensor::zeros({1, 1, kPatch * rows, kPatch * columns}, DType::f32, Layout::channels_last);
  x.slice(2, kPatch * bright.row, kPatch * bright.row + kPatch)
      .slice(3, kPatch * bright.column, kPatch * bright.column + kPatch)
      .fill(1);
  const ForwardFunction network = [&](const Var& v) { return seeker(v); };
  Request r{network, x, {}, {}, {}, {}};
  r.layers = choose_layers(layers_of(network, x.shape()), "**.received", {LayerKind::received}, "attention");
  const Explanation e = attention(r);
  REQUIRE(e.maps.size() == 1);
  return e.maps[0];
}

std::size_t highest(const std::vector<double>& values) {
  return static_cast<std::size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

// Which stretch of a side of `size` a position of a shifted lattice of windows belongs to, and how long that is on the map.
std::int64_t stretch(std::int64_t at, std::int64_t shift) { return (at - shift + kWindow) / kWindow; }
std::int64_t length(std::int64_t at, std::int64_t size, std::int64_t shift) {
  std::int64_t n = 0;
  for (std::int64_t i = 0; i < size; ++i) n += stretch(i, shift) == stretch(at, shift);
  return n;
}

}  // namespace

TEST_CASE(
    "explain: attention of shifted windows lies where the bright place is, and pairs that were no neighbours count as none") {
  const std::int64_t rows = 8, columns = 12;
  for (const std::int64_t shift : {0, 1, 2}) {
    const Seeker seeker("swin_block", shift, "before_shift");
    for (const Place p : {Place{0, 0}, {0, 5}, {1, 11}, {3, 3}, {4, 8}, {7, 1}, {7, 11}}) {
      INFO("shift " << shift << ", place " << p.row << ", " << p.column);
      const Map map = map_of(seeker, rows, columns, p);
      CHECK(map.grid == Grid{rows, columns, 0.5, 0.5, kPatch, kPatch});
      const std::vector<double> pixels = map.on_pixels(kPatch * rows, kPatch * columns);
      // All that may look at the place look at nothing else, everybody else evenly at those around him.
      const double lookers = static_cast<double>(length(p.row, rows, shift) * length(p.column, columns, shift)),
                   all = rows * columns;
      for (std::int64_t i = 0; i < rows; ++i)
        for (std::int64_t j = 0; j < columns; ++j) {
          const bool together = stretch(i, shift) == stretch(p.row, shift) && stretch(j, shift) == stretch(p.column, shift);
          const bool here = i == p.row && j == p.column;
          const double got = map.values[static_cast<std::size_t>(i * columns + j)];
          if (together) CHECK(got == Approx(here ? lookers / all : 0).margin(1e-7));
          else CHECK(got < 1 / all + 1e-7);
        }
      const std::size_t top = highest(pixels);
      CHECK(static_cast<std::int64_t>(top) / (kPatch * columns) / kPatch == p.row);
      CHECK(static_cast<std::int64_t>(top) % (kPatch * columns) / kPatch == p.column);
    }
  }
}

TEST_CASE("explain: attention of shifted windows over a padded map") {
  for (const char* padding : {"before_shift", "after_shift"}) {
    const Seeker seeker("swin_block", 2, padding);
    for (const Place p : {Place{0, 0}, {2, 6}, {5, 3}, {6, 9}}) {
      INFO(padding << ", place " << p.row << ", " << p.column);
      const Map map = map_of(seeker, 7, 10, p);
      CHECK(static_cast<std::int64_t>(highest(map.values)) == p.row * 10 + p.column);
    }
  }
}

TEST_CASE("explain: rollout takes no attention that was averaged; a window as large as the map is the map") {
  const Seeker seeker("swin_block", 0, "before_shift");
  const ForwardFunction network = [&](const Var& v) { return seeker(v); };
  const auto layers = layers_of(network, {1, 1, 2 * kWindow, 2 * kWindow});
  REQUIRE(layers.size() == 2);
  CHECK(layers[0].name == "block.attn.attention");
  CHECK(layers[0].kind == LayerKind::attention);
  for (const LayerKind kind : method("rollout").kinds) CHECK(kind != LayerKind::received);
}
