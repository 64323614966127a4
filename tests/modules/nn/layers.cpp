// Layers: the names and shapes of torch's state dicts, its initial bounds, and errors that say where.
#include "modules/nn/layers.hpp"

#include <cmath>

#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using fovea::test::fails_with;

namespace {

struct Fresh {
  std::shared_ptr<ParamStore> store = std::make_shared<ParamStore>(1);
  Scope at = Scope(store) / "net" / 2;
};

double largest(const Var& v) {
  double m = 0;
  for (const double x : v.value().values()) m = std::max(m, std::abs(x));
  return m;
}

Shape out_shape(const Var& y) { return y.shape(); }

}  // namespace

TEST_CASE("conv2d layer: torch's names, shapes and bounds") {
  Fresh f;
  const Conv2d conv(f.at, {.in = 8, .out = 12, .kernel = 3, .stride = 2, .pad = 1, .groups = 4});
  REQUIRE(f.store->entries().size() == 2);
  CHECK(f.store->find("net.2.weight")->value.shape() == Shape{12, 2, 3, 3});
  CHECK(f.store->find("net.2.bias")->value.shape() == Shape{12});
  const double bound = 1 / std::sqrt(18.0);  // fan in 2 x 3 x 3, for the bias too
  CHECK((largest(conv.weight) <= bound && largest(conv.weight) > 0.9 * bound));
  CHECK((largest(conv.bias) <= bound && largest(conv.bias) > 0));
  CHECK(out_shape(conv(Var(Tensor::zeros({1, 8, 7, 9})))) == Shape{1, 12, 4, 5});
  Fresh g;
  const Conv2d plain(g.at, {.in = 3, .out = 4, .bias = false});
  CHECK(g.store->entries().size() == 1);
  CHECK(!plain.bias.defined());
}

TEST_CASE("transposed convolution layer: I x O/groups x k x k, and torch's fan of dimension 1") {
  Fresh f;
  const ConvTranspose2d up(f.at, {.in = 6, .out = 4, .kernel = 3, .stride = 2, .pad = 1, .output_pad = 1, .groups = 2});
  CHECK(f.store->find("net.2.weight")->value.shape() == Shape{6, 2, 3, 3});
  CHECK(f.store->find("net.2.bias")->value.shape() == Shape{4});
  CHECK(largest(up.weight) <= 1 / std::sqrt(18.0));
  CHECK(out_shape(up(Var(Tensor::zeros({1, 6, 5, 4})))) == Shape{1, 4, 10, 8});
}

TEST_CASE("linear layer: O x I, on any leading axes") {
  Fresh f;
  const Linear linear(f.at, {.in = 5, .out = 3});
  CHECK(f.store->find("net.2.weight")->value.shape() == Shape{3, 5});
  CHECK(largest(linear.weight) <= 1 / std::sqrt(5.0));
  CHECK(out_shape(linear(Var(Tensor::zeros({2, 7, 5})))) == Shape{2, 7, 3});
}

TEST_CASE("layers: errors carry the path of the layer") {
  Fresh f;
  const Conv2d conv(f.at / "conv", {.in = 8, .out = 4, .kernel = 3});
  CHECK(fails_with([&] { conv(Var(Tensor::zeros({1, 7, 9, 9}))); }, "net.2.conv"));
  const Linear linear(f.at / "fc", {.in = 5, .out = 3});
  CHECK(fails_with([&] { linear(Var(Tensor::zeros({2, 4}))); }, "net.2.fc"));
}

TEST_CASE("layers: channels that do not divide into groups are refused before anything is declared") {
  Fresh f;
  for (const std::int64_t groups : {0, 3, -1}) {
    INFO(groups << " groups");
    CHECK(
        fails_with([&] { Conv2d(f.at, {.in = 8, .out = 4, .groups = groups}); }, "net.2: conv2d: 8 -> 4 channels do not divide"));
    CHECK(fails_with([&] { ConvTranspose2d(f.at, {.in = 8, .out = 4, .groups = groups}); }, "net.2: conv_transpose2d: 8 -> 4"));
  }
  CHECK(fails_with([&] { Conv2d(f.at, {.in = 0, .out = 4}); }, "net.2"));
  CHECK(f.store->entries().empty());
}

TEST_CASE("sequential: members run in order, none is the identity") {
  Fresh f;
  Sequential s{Linear(f.at / 0, {.in = 4, .out = 6}), Linear(f.at / 1, {.in = 6, .out = 2})};
  CHECK(out_shape(s(Var(Tensor::zeros({3, 4})))) == Shape{3, 2});
  s.add(Linear(f.at / 2, {.in = 2, .out = 1}));
  CHECK(out_shape(s(Var(Tensor::zeros({3, 4})))) == Shape{3, 1});
  const Var x(Tensor::zeros({1}));
  CHECK(Sequential()(x).state() == x.state());
}
