// What is particular to the gates: widths, options, starting values, errors and taps.
#include "modules/autograd/tap.hpp"
#include "modules/nn/gate_mlp.hpp"
#include "modules/nn/registry.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"

using namespace fovea;
using Options = std::map<std::string, std::string>;

namespace {

struct Made {
  std::shared_ptr<ParamStore> store = std::make_shared<ParamStore>(5);
  std::unique_ptr<Block> block;
  Made(const std::string& name, std::int64_t channels, const Options& options = {}, const Args::Lists& lists = {})
      : block(Registry::global().make(name, Scope(store), channels, Args("test", options, {}, lists))) {}
  Shape shape(const std::string& parameter) const {
    const auto* e = store->find(parameter);
    return e ? e->value.shape() : Shape{};
  }
};

Tensor map(const Shape& shape) { return test::random_tensor(shape, 9).to(DType::f32); }

std::map<std::string, Shape> taps_of(const Made& made, const Shape& x) {
  TapScope taps("**");
  (*made.block)(Var(map(x)));
  std::map<std::string, Shape> found;
  for (const auto& [name, v] : taps.kept) found[name] = v.shape();
  return found;
}

using Taps = std::map<std::string, Shape>;

}  // namespace

TEST_CASE("gates: widths of the squeeze") {
  CHECK(make_divisible(32.0 / 16, 8, 0) == 8);
  CHECK(make_divisible(20, 8, 0) == 24);
  CHECK(make_divisible(19, 8, 0) == 16);
  CHECK(make_divisible(19, 8) == 24);  // 16 is less than 0.9 of 19
  CHECK(Made("se", 32).shape("fc1.weight") == Shape{8, 32});
  CHECK(Made("se", 256).shape("fc1.weight") == Shape{16, 256});
  CHECK(Made("se", 100, {{"divisor", "0"}}).shape("fc1.weight") == Shape{6, 100});
  CHECK(Made("se", 100, {{"hidden", "7"}}).shape("fc2.weight") == Shape{100, 7});
  CHECK(Made("se", 8, {{"bias", "false"}, {"bn", "true"}}).store->entries().size() == 7);
  CHECK(Made("cbam", 8).shape("channel.fc1.weight") == Shape{1, 8});
  CHECK(Made("coordinate", 64).shape("conv1.weight") == Shape{8, 64, 1, 1});
  CHECK(Made("coordinate", 64, {{"hidden", "3"}}).shape("conv1.weight") == Shape{3, 64, 1, 1});
}

TEST_CASE("eca: the kernel follows the channels") {
  for (const auto& [channels, kernel] : std::map<int, int>{{8, 3}, {64, 3}, {128, 5}, {256, 5}, {512, 5}, {1024, 5}, {2048, 7}})
    CHECK(Made("eca", channels).shape("conv.weight") == Shape{1, 1, kernel});
  CHECK(Made("eca", 1, {{"min_kernel", "1"}}).shape("conv.weight") == Shape{1, 1, 1});
  CHECK(Made("eca", 16, {{"hidden", "2"}}).shape("conv2.weight") == Shape{1, 2, 3});
}

TEST_CASE("gates: starting values") {
  const Tensor x = map({2, 6, 5, 4});
  CHECK((*Made("gct", 6).block)(Var(x)).value().values() == x.values());  // the identity
  const Made srm("srm", 6);
  const auto halved = (*srm.block)(Var(x)).value().values();
  for (std::size_t i = 0; i < halved.size(); ++i) CHECK(halved[i] == Approx(0.5 * x.values()[i]).margin(1e-6));
  const Made cbam("cbam", 6);
  CHECK(cbam.store->find("spatial.bn.weight")->value.value().item() == 0);
  CHECK(cbam.store->find("channel.fc2.bias")->value.value().values() == std::vector<double>(6, 0.0));
  CHECK(Made("cbam", 6, {{"zero_bn", "false"}}).store->find("spatial.bn.weight")->value.value().item() == 1);
}

TEST_CASE("gates: taps") {
  const Shape x{2, 16, 5, 4}, channel{2, 16, 1, 1}, spatial{2, 1, 5, 4};
  for (const char* name : {"se", "effective_se", "eca", "srm", "gct"})
    CHECK(taps_of(Made(name, 16), x) == Taps{{"channel", channel}});
  for (const char* name : {"cbam_spatial", "bam_spatial", "sse"}) CHECK(taps_of(Made(name, 16), x) == Taps{{"spatial", spatial}});
  for (const char* name : {"cbam", "scse"}) CHECK(taps_of(Made(name, 16), x) == Taps{{"channel", channel}, {"spatial", spatial}});
  CHECK(taps_of(Made("bam", 16), x) == Taps{{"channel", channel}, {"spatial", spatial}, {"gate", x}});
  CHECK(taps_of(Made("coordinate", 16), x) == Taps{{"height", {2, 16, 5, 1}}, {"width", {2, 16, 1, 4}}});
  CHECK(taps_of(Made("triplet", 16), x) == Taps{{"height", {2, 16, 1, 4}}, {"width", {2, 16, 5, 1}}, {"spatial", spatial}});
  CHECK(taps_of(Made("triplet", 16, {{"no_spatial", "true"}}), x).count("spatial") == 0);
  CHECK(taps_of(Made("cbam", 16, {{"no_spatial", "true"}}), x) == Taps{{"channel", channel}});
  CHECK(taps_of(Made("sk", 16), x) == Taps{{"paths", {2, 2, 16}}});
  CHECK(taps_of(Made("sk_conv", 16, {{"paths", "3"}}), x) == Taps{{"paths", {2, 3, 16}}});
}

TEST_CASE("gates: options change what is computed") {
  const Tensor x = map({2, 16, 6, 5});
  const auto run = [&](const std::string& name, const Options& options, const Args::Lists& lists = {}) {
    return (*Made(name, 16, options, lists).block)(Var(x)).value().values();
  };
  for (const auto& [name, options] : std::vector<std::pair<std::string, Options>>{{"se", {{"gate", "hard_sigmoid"}}},
                                                                                  {"se", {{"squeeze", "avg_max"}}},
                                                                                  {"se", {{"activation", "silu"}}},
                                                                                  {"eca", {{"padding", "circular"}}},
                                                                                  {"cbam", {{"residual", "true"}}},
                                                                                  {"cbam", {{"no_spatial", "true"}}},
                                                                                  {"cbam", {{"light", "true"}}},
                                                                                  {"cbam_spatial", {{"order", "mean_max"}}},
                                                                                  {"cbam_spatial", {{"residual", "true"}}},
                                                                                  {"bam", {{"combine", "sum"}}},
                                                                                  {"scse", {{"combine", "max"}}},
                                                                                  {"coordinate", {{"activation", "relu"}}},
                                                                                  {"triplet", {{"no_spatial", "true"}}}}) {
    INFO(name << " " << options.begin()->first);
    CHECK(run(name, options) != run(name, {}));
  }
  CHECK(run("cbam", {}, {{"pools", {"lse"}}}) != run("cbam", {}, {{"pools", {"lp"}}}));
}

TEST_CASE("selective kernels stand for convolutions") {
  const Var x(map({1, 16, 9, 7}));
  CHECK((*Made("sk", 16, {{"out", "24"}, {"stride", "2"}}).block)(x).shape() == Shape{1, 24, 5, 4});
  CHECK((*Made("sk", 16, {{"keep_3x3", "false"}, {"split_input", "false"}, {"groups", "4"}}).block)(x).shape() ==
        Shape{1, 16, 9, 7});
  CHECK((*Made("sk_conv", 16, {{"out", "8"}, {"stride", "2"}, {"groups", "8"}}).block)(x).shape() == Shape{1, 8, 5, 4});
  CHECK(Made("sk", 16, {}, {{"kernels", {"3", "5", "7", "9"}}}).shape("paths.3.conv.weight") == Shape{16, 4, 3, 3});
}

TEST_CASE("gates: messages for wrong options") {
  const auto message = [](const std::string& name, const Options& options, const Args::Lists& lists = {}) -> std::string {
    try {
      Made made(name, 16, options, lists);
    } catch (const Error& e) { return e.what(); }
    return "no error";
  };
  using Catch::Matchers::ContainsSubstring;
  CHECK_THAT(message("se", {{"gate", "sigmod"}}), ContainsSubstring("no activation is called 'sigmod'"));
  CHECK_THAT(message("se", {{"reduction", "0"}}), ContainsSubstring("reduction > 0"));
  CHECK_THAT(message("eca", {{"kernel", "4"}}), ContainsSubstring("odd kernel"));
  CHECK_THAT(message("eca", {{"padding", "mirror"}}), ContainsSubstring("zeros or circular"));
  CHECK_THAT(message("gct", {{"mode", "l3"}}), ContainsSubstring("expected mode l2 or l1, got 'l3'"));
  CHECK_THAT(message("cbam", {}, {{"pools", {"mean"}}}), ContainsSubstring("no pooling is called 'mean'"));
  CHECK_THAT(message("cbam_spatial", {{"order", "max"}}), ContainsSubstring("max_mean or mean_max"));
  CHECK_THAT(message("bam", {{"combine", "mul"}}), ContainsSubstring("product or sum"));
  CHECK_THAT(message("scse", {{"combine", "mul"}}), ContainsSubstring("add or max"));
  CHECK_THAT(message("sk", {}, {{"kernels", {"3", "4"}}}), ContainsSubstring("odd kernels, got 4"));
  CHECK_THAT(message("sk", {{"pad", "0"}}), ContainsSubstring("keeps the size, 1, got 0"));
  CHECK_THAT(message("sk_conv", {{"dilation", "2"}}), ContainsSubstring("the block sk has dilation"));
}
