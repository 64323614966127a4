#include "modules/nn/registry.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_block.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using fovea::test::fails_with;
using fovea::test::max_difference;
using fovea::test::random_tensor;
using Options = std::map<std::string, std::string>;

namespace {

struct Made {
  std::shared_ptr<ParamStore> store = std::make_shared<ParamStore>(5);
  std::unique_ptr<Block> block;
  Made(const std::string& name, std::int64_t channels, const Options& options = {})
      : block(Registry::global().make(name, Scope(store) / "net", channels, Args("recipe", options))) {}
  std::size_t count(const std::string& part) const {
    std::size_t n = 0;
    for (const auto& e : store->entries()) n += e.name.find(part) != std::string::npos;
    return n;
  }
};

Vars pyramid(std::int64_t channels, std::int64_t levels) {
  Vars maps;
  for (std::int64_t i = 0; i < levels; ++i)
    maps.emplace_back(random_tensor({2, channels, std::max<std::int64_t>(1, 8 >> i), std::max<std::int64_t>(1, 10 >> i)},
                                    static_cast<std::uint64_t>(i) + 1)
                          .to(DType::f32));
  return maps;
}

// The block as an op of its maps.
void check_levels(const std::string& name, std::int64_t channels, const Options& options) {
  Tensors maps;
  for (const Var& v : pyramid(channels, std::stoll(options.at("levels")))) maps.push_back(v.value().to(DType::f64));
  test::check_op(name,
                 [&](const Vars& in) {
                   const Made made(name, channels, options);
                   made.store->to(in[0].state()->value.defined() ? in[0].dtype() : DType::f32);
                   return (*made.block)(in);
                 },
                 maps,
                 {.bf16 = false,
                  .strided = false,
                  .conditioning = 8,
                  .unplanned = name == "har_sync_norm" || name == "har_head" ? "one norm over all levels has no kernel" : ""});
}

}  // namespace

TEST_CASE("har blocks: gradients over several levels") {
  check_levels("har_spatial", 8, {{"levels", "3"}});
  check_levels("har_spatial", 8, {{"levels", "2"}, {"groups", "0"}});
  check_levels("har_channel", 8, {{"levels", "3"}});
  check_levels("har_sync_norm", 8, {{"levels", "3"}});
  check_levels("har_head", 8, {{"levels", "2"}, {"cls_out", "3"}, {"box_out", "4"}});
}

TEST_CASE("har_spatial: each level has its mask, shared by the features of the level") {
  const Made made("har_spatial", 8, {{"levels", "2"}});
  const Vars maps = pyramid(8, 2);
  TapScope taps("**.spatial");
  const Vars gated = (*made.block)(maps);
  REQUIRE(taps.kept.size() == 2);
  CHECK(taps.kept[0].first == "net.levels.0.spatial");
  CHECK(taps.kept[1].second.shape() == Shape{2, 1, 4, 5});
  // Maps, then two features of each level, here the maps themselves: they come back as above.
  Vars in = maps;
  for (const Var& m : maps) in.push_back(m), in.push_back(m);
  const Vars both = (*made.block)(in);
  REQUIRE(both.size() == 4);
  CHECK(max_difference(both[0].value(), gated[0].value()) == 0);
  CHECK(max_difference(both[3].value(), gated[1].value()) == 0);
  CHECK(fails_with([&] { (*made.block)(Vars{maps[0], maps[1], maps[0]}); }, "expected the maps of 2 levels"));
  CHECK(fails_with([] { Made("har_spatial", 8, {{"groups", "3"}}); }, "mask_channels: 16 do not divide into 3 groups"));
  CHECK(fails_with([] { Made("har_spatial", 8, {{"levels", "0"}}); }, "levels: expected a whole number from 1"));
}

TEST_CASE("har_channel: one gate for all levels") {
  const Made made("har_channel", 16, {{"levels", "3"}});
  TapScope taps("**.channel");
  const Vars maps = pyramid(16, 3), out = (*made.block)(maps);
  REQUIRE(taps.kept.size() == 1);
  const auto gate = taps.kept[0].second.value().values();
  CHECK(taps.kept[0].second.shape() == Shape{2, 16, 1, 1});
  for (std::size_t l = 0; l < 3; ++l) {
    const auto x = maps[l].value().values(), y = out[l].value().values();
    CHECK(std::abs(y.front() - x.front() * gate.front()) < 1e-6);
    CHECK(std::abs(y.back() - x.back() * gate.back()) < 1e-6);
  }
  CHECK(made.store->find("net.down.weight")->value.shape() == Shape{2, 48});
  CHECK(fails_with([&] { (*made.block)(pyramid(16, 2)); }, "expected the maps of 3 levels, got 2 values"));
}

// Over all levels together each group has mean 0 and variance 1 before the relu; the same map as two levels is normalised as once.
TEST_CASE("har_sync_norm: statistics over all levels") {
  const Made made("har_sync_norm", 8, {{"levels", "3"}, {"groups", "2"}, {"relu", "false"}});
  double sum = 0, squares = 0, n = 0;
  for (const Var& y : (*made.block)(pyramid(8, 3))) {
    const Tensor first = y.value().slice(0, 0, 1).slice(1, 4, 8);  // one sample's second group
    for (const double v : first.values()) sum += v, squares += v * v, n += 1;
  }
  CHECK(std::abs(sum / n) < 1e-5);
  CHECK(std::abs(squares / n - 1) < 1e-3);
  const Made pair("har_sync_norm", 8, {{"levels", "2"}}), single("har_sync_norm", 8, {{"levels", "1"}});
  const Var x = pyramid(8, 1).front();
  CHECK(max_difference((*pair.block)(Vars{x, x})[1].value(), (*single.block)(x).value()) < 1e-5);
  CHECK(fails_with([] { Made("har_sync_norm", 8, {{"groups", "3"}}); }, "8 channels do not divide into 3"));
}

TEST_CASE("har_aligned: residual, every channel count, the authors' variants") {
  const Var x = pyramid(12, 1).front();
  for (const Options& options : {Options{}, {{"mid", "8"}, {"groups", "4"}}, {{"first_kernel", "3"}}, {{"border", "clamp"}}}) {
    const Made made("har_aligned", 12, options);
    TapScope taps("**");
    const auto a = (*made.block)(x).value().values(), b = x.value().values();
    for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] >= b[i]);  // what is added went through a relu
    REQUIRE(taps.kept.size() == 1);
    CHECK(taps.kept[0].first == "net.offset");
  }
  CHECK(Made("har_aligned", 12, {{"first_kernel", "3"}}).store->find("net.conv1.weight")->value.shape() == Shape{3, 12, 3, 3});
  CHECK(Made("har_aligned", 64).store->find("net.offset.weight")->value.shape() == Shape{72, 16, 3, 3});
  CHECK(fails_with([] { Made("har_aligned", 12, {{"groups", "5"}}); }, "12 and 3 channels do not divide into 5 groups"));
  CHECK(fails_with([] { Made("har_aligned", 12, {{"first_kernel", "2"}}); }, "first_kernel must be odd"));
}

// At random weights: where all offsets are 0, as they begin, bilinear sampling has a kink and no derivative.
TEST_CASE("har_aligned: gradients away from the kink at offset 0") {
  const Tensor x = random_tensor({2, 12, 5, 4}, 1);
  for (const Options& options : {Options{}, {{"mid", "8"}, {"groups", "4"}}, {{"first_kernel", "3"}}, {{"border", "clamp"}}})
    test::check_block("har_aligned", 12, {x}, options);
  test::check_block("har_aligned", 64, {random_tensor({1, 64, 3, 4}, 2)});
}

TEST_CASE("har_head: which parts its variants have") {
  const Options small{{"levels", "2"}, {"cls_out", "3"}, {"box_out", "4"}};
  const auto made = [&](Options more) {
    more.insert(small.begin(), small.end());
    return Made("har_head", 16, more);
  };
  const Vars maps = pyramid(16, 2);
  for (const Options& o : {Options{},
                           {{"channel", "scale"}, {"norms", "3"}, {"spatial", "false"}},
                           {{"channel", "none"}, {"norms", "0"}},
                           {{"mask_groups", "0"}, {"groups", "8"}}}) {
    const Vars out = (*made(o).block)(maps);
    REQUIRE(out.size() == 4);
    CHECK(out[1].shape() == Shape{2, 3, 4, 5});
    CHECK(out[2].shape() == Shape{2, 4, 8, 10});
  }
  CHECK(made({{"channel", "scale"}}).count("_hybrid") == 0);
  CHECK(made({{"channel", "scale"}}).count("cls_channel.") == 4);
  CHECK(made({}).count("box_hybrid.channel.") == 4);
  CHECK(made({{"spatial", "false"}}).count("spatial") == 0);
  CHECK(made({{"norms", "3"}}).count(".norm.weight") == 6);
  CHECK(fails_with([&] { made({{"norms", "5"}}); }, "norms: expected 0 to 4, got 5"));
  CHECK(fails_with([&] { made({{"channel", "other"}}); }, "channel: expected none, scale or hybrid"));
  CHECK(fails_with([&] { (*made({}).block)(pyramid(16, 1)); }, "expected the maps of 2 levels"));
}
