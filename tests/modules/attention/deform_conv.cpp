#include "modules/nn/registry.hpp"
#include "modules/ops/conv2d.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using fovea::test::fails_with;
using fovea::test::random_tensor;
using Options = std::map<std::string, std::string>;

namespace {

struct Made {
  std::shared_ptr<ParamStore> store = std::make_shared<ParamStore>(5);
  std::unique_ptr<Block> block;
  Made(const std::string& name, std::int64_t channels, const Options& options = {}, Args::Lists lists = {})
      : block(Registry::global().make(name, Scope(store) / "net", channels, Args("recipe", options, {}, std::move(lists)))) {}
  const Var& at(const std::string& name) const { return store->find("net." + name)->value; }
};

Var picture(const Shape& shape) { return Var(random_tensor(shape, 1).to(DType::f32)); }

}  // namespace

TEST_CASE("deform_conv: fresh offsets are zero, so it is the convolution with its weight") {
  const Made made("deform_conv", 6, {{"out", "4"}, {"stride", "2"}, {"groups", "2"}, {"deform_groups", "3"}});
  const Var x = picture({2, 6, 7, 9});
  const Var y = (*made.block)(x);
  CHECK(y.shape() == Shape{2, 4, 4, 5});
  const Conv2dOptions o{.stride = {2, 2}, .pad_begin = {1, 1}, .pad_end = {1, 1}, .groups = 2};
  CHECK(test::max_difference(y.value(), conv2d(x, made.at("weight"), {}, o).value()) < 1e-5);
  CHECK(made.store->find("net.bias") == nullptr);
  CHECK(made.at("conv_offset.weight").shape() == Shape{54, 6, 3, 3});
}

TEST_CASE("deform_conv_v2: a fresh mask is a half; bias by default; the taps") {
  const Made made("deform_conv_v2", 4, {{"dilation", "2"}});
  const Var x = picture({1, 4, 6, 5});
  TapScope taps("**");
  const Var y = (*made.block)(x);
  const Conv2dOptions o{.dilation = {2, 2}, .pad_begin = {2, 2}, .pad_end = {2, 2}};
  const auto conv = conv2d(x, made.at("weight"), {}, o).value().values(), got = y.value().values();
  for (std::size_t i = 0; i < got.size(); ++i) CHECK(std::abs(got[i] - conv[i] / 2) < 1e-5);
  CHECK(made.at("bias").shape() == Shape{4});
  REQUIRE(taps.kept.size() == 2);
  CHECK(taps.kept[0].first == "net.offset");
  CHECK(taps.kept[0].second.shape() == Shape{1, 18, 6, 5});
  CHECK(taps.kept[1].first == "net.mask");
  CHECK(taps.kept[1].second.shape() == Shape{1, 9, 6, 5});
  for (const double m : taps.kept[1].second.value().values()) CHECK(m == 0.5);
}

TEST_CASE("deform_conv: kernels of two sides; moved offsets reach the parameters' gradients") {
  const Made made("deform_conv", 3, {{"border", "clamp"}}, {{"kernel", {"1", "3"}}, {"pad", {"0", "1"}}});
  CHECK(made.at("weight").shape() == Shape{3, 3, 1, 3});
  Var bias = made.at("conv_offset.bias");
  bias.set_value(Tensor::full(bias.shape(), 0.25));
  const Var y = (*made.block)(picture({1, 3, 4, 6}));
  CHECK(y.shape() == Shape{1, 3, 4, 6});
  y.backward(Tensor::full(y.shape(), 1, DType::f32, Layout::channels_last));
  for (const char* name : {"weight", "conv_offset.weight", "conv_offset.bias"}) {
    double size = 0;
    for (const double g : made.at(name).grad().values()) size += std::abs(g);
    INFO(name);
    CHECK(size > 0);
  }
}

TEST_CASE("deform_conv: messages") {
  CHECK(fails_with([] { Made("deform_conv", 6, {{"groups", "4"}}); }, "recipe: 6 -> 6 channels do not divide into 4 groups"));
  CHECK(fails_with([] { Made("deform_conv", 6, {{"deform_groups", "4"}}); }, "6 channels do not divide into deform_groups: 4"));
  CHECK(fails_with([] { Made("deform_conv", 6, {{"border", "mirror"}}); }, "border: expected zero or clamp, got 'mirror'"));
  CHECK(fails_with([] { Made("deform_conv", 6, {}, {{"kernel", {"1", "2", "3"}}}); }, "kernel: expected one number or two"));
  const Made given("deform_conv2d", 4);
  CHECK(fails_with([&] { (*given.block)(picture({1, 4, 5, 5})); }, "net: expected a map, its offsets and perhaps a mask"));
}

TEST_CASE("dynamic_conv: the share of each kernel; one kernel is an ordinary convolution") {
  const Made made("dynamic_conv", 8, {{"out", "6"}, {"kernels", "3"}, {"temperature", "1"}});
  const Var x = picture({4, 8, 5, 6});
  TapScope taps("**.kernels");
  CHECK((*made.block)(x).shape() == Shape{4, 6, 5, 6});
  REQUIRE(taps.kept.size() == 1);
  CHECK(taps.kept[0].second.shape() == Shape{4, 3});
  const auto share = taps.kept[0].second.value().values();
  for (std::size_t n = 0; n < 4; ++n) CHECK(std::abs(share[3 * n] + share[3 * n + 1] + share[3 * n + 2] - 1) < 1e-6);
  CHECK(made.at("attention.fc1.weight").shape() == Shape{3, 8, 1, 1});  // int(8 / 4) + 1
  CHECK(Made("dynamic_conv", 3, {{"kernels", "5"}}).at("attention.fc1.weight").shape() == Shape{5, 3, 1, 1});

  const Made one("dynamic_conv", 8, {{"kernels", "1"}, {"groups", "2"}, {"bias", "false"}});
  const Var w(one.at("weight").value().reshape({8, 4, 3, 3}));
  const Conv2dOptions o{.pad_begin = {1, 1}, .pad_end = {1, 1}, .groups = 2};
  CHECK(test::max_difference((*one.block)(x).value(), conv2d(x, w, {}, o).value()) < 1e-5);
  CHECK(one.store->find("net.bias") == nullptr);
}

// A high temperature makes the shares equal.
TEST_CASE("dynamic_conv: temperature and messages") {
  const auto spread = [](const char* temperature) {
    const Made made("dynamic_conv", 8, {{"temperature", temperature}});
    TapScope taps("**.kernels");
    (*made.block)(picture({1, 8, 5, 6}));
    const auto share = taps.kept.front().second.value().values();
    return *std::max_element(share.begin(), share.end()) - *std::min_element(share.begin(), share.end());
  };
  CHECK(spread("0.1") > spread("1"));
  CHECK(spread("1") > spread("30"));
  CHECK(fails_with([] { Made("dynamic_conv", 8, {{"temperature", "0"}}); }, "temperature must be positive"));
  CHECK(fails_with([] { Made("dynamic_conv", 8, {{"groups", "3"}}); }, "8 -> 8 channels do not divide into 3 groups"));
  CHECK(fails_with([] { Made("dynamic_conv", 8, {{"K", "3"}}); }, "K"));
}
