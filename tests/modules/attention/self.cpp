// Multi-head, window and vector attention: options against compositions by hand, taps, masks, shapes that do not fit.
#include <cmath>

#include "modules/attention/self/head_drop.hpp"
#include "modules/attention/self/windows.hpp"
#include "modules/autograd/tap.hpp"
#include "modules/nn/registry.hpp"
#include "modules/nn/training.hpp"
#include "modules/ops/permute.hpp"
#include "modules/ops/reduce.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

struct Made {
  std::shared_ptr<ParamStore> store = std::make_shared<ParamStore>(5);
  std::unique_ptr<Block> block;
  Made(const std::string& name, std::int64_t channels, std::map<std::string, std::string> values = {}, Args::Lists lists = {})
      : block(Registry::global().make(name, Scope(store) / "net", channels,
                                      Args("test", std::move(values), {}, std::move(lists)))) {}
  Tensor run(const Vars& in) const { return (*block)(in).front().value(); }
};

Var tokens(const Shape& shape, std::uint64_t seed) { return random_tensor(shape, seed).to(DType::f32); }

bool close(const Tensor& a, const Tensor& b) { return a.shape() == b.shape() && max_difference(a, b) < 2e-5; }

}  // namespace

TEST_CASE("self: asking for the map changes neither result nor gradients beyond rounding, and its rows sum to 1") {
  const std::map<std::string, std::int64_t> blocks{
      {"multi_head", 3}, {"vit_attention", 3}, {"post_norm_attention", 3}, {"swin_block", 4}, {"swin_block_v2", 4}};
  for (const auto& [name, rank] : blocks) {
    INFO(name);
    const Made made =
        rank == 4 ? Made(name, 8, {{"heads", "2"}}, {{"window", {"3"}}, {"shift", {"1"}}}) : Made(name, 8, {{"heads", "2"}});
    const Shape shape = rank == 4 ? Shape{2, 8, 7, 5} : Shape{2, 9, 8};
    std::vector<Tensor> values, grads;
    for (const bool wanted : {false, true}) {
      made.store->zero_grad();
      Var x(random_tensor(shape, 3).to(DType::f32), true);
      const TapScope taps(wanted ? "**.attention" : "nothing");
      const Var y = (*made.block)(Vars{x}).front();
      y.backward(random_tensor(shape, 4).to(DType::f32));
      values.push_back(y.value()), grads.push_back(x.grad());
      for (const auto& e : made.store->entries()) grads.push_back(e.value.grad());
      CHECK(taps.kept.size() == (wanted ? 1u : 0u));
      for (const auto& [path, map] : taps.kept)
        for (const double sum : map.value().values().size() ? mean(map, {3}).value().values() : std::vector<double>{})
          CHECK(sum * static_cast<double>(map.dim(3)) == Approx(1).epsilon(1e-5));
    }
    CHECK(close(values[0], values[1]));
    for (std::size_t i = 0; i < grads.size() / 2; ++i) {
      double size = 1;
      for (const double g : grads[i].values()) size = std::max(size, std::abs(g));
      CHECK(max_difference(grads[i], grads[i + grads.size() / 2]) < 2e-5 * size);
    }
  }
}

TEST_CASE("self: what keys received is the mean of the weights over the queries, asked for alone or with them") {
  for (const Made& made : {Made("multi_head", 8, {{"heads", "4"}}), Made("vit_attention", 8, {{"heads", "4"}}),
                           Made("post_norm_attention", 8, {{"heads", "4"}})}) {
    const NoGrad no_grad;
    std::map<std::string, Tensor> alone, both;
    Tensor y;
    {
      const TapScope taps("**.received");
      y = made.run({tokens({2, 9, 8}, 3)});
      for (const auto& [path, value] : taps.kept) alone[path] = value.value();
    }
    const TapScope taps("**.{received,attention}");
    CHECK(close(made.run({tokens({2, 9, 8}, 3)}), y));
    REQUIRE(alone.size() == 1);
    REQUIRE(taps.kept.size() == 2);
    for (const auto& [path, value] : taps.kept) {
      const bool weights = path.ends_with(".attention");
      CHECK(close(alone.begin()->second, weights ? mean(value, {2}).value() : value.value()));
    }
  }
}

TEST_CASE("self: in training too the map that is asked for is what was computed with") {
  for (const Made& made : {Made("multi_head", 8, {{"heads", "4"}, {"dropout", "0.3"}, {"head_drop", "0.3"}}),
                           Made("vit_attention", 8, {{"heads", "4"}, {"attn_drop", "0.3"}, {"head_drop", "0.3"}})}) {
    std::vector<Tensor> values;
    for (const bool wanted : {false, true}) {
      Random random(7);
      const Training training(random);
      const TapScope taps(wanted ? "**.attention" : "nothing");
      values.push_back(made.run({tokens({2, 9, 8}, 3)}));
      values.push_back(made.run({tokens({2, 9, 8}, 3)}));
    }
    CHECK(close(values[0], values[2]));
    CHECK(close(values[1], values[3]));
    CHECK_FALSE(close(values[0], values[1]));
  }
}

TEST_CASE("multi_head: layouts, one tensor or three, single samples") {
  const Made first("multi_head", 8, {{"heads", "2"}}), second("multi_head", 8, {{"heads", "2"}, {"batch_first", "false"}});
  const Var x = tokens({3, 5, 8}, 1);
  const Tensor want = first.run({x});
  CHECK(close(first.run({x, tokens({3, 5, 8}, 1), tokens({3, 5, 8}, 1)}), want));
  CHECK(close(second.run({permute(x, {1, 0, 2})}).permute({1, 0, 2}), want));
  CHECK(close(first.run({Var(x.value().slice(0, 1, 2).reshape({5, 8}))}), want.slice(0, 1, 2).reshape({5, 8})));
}

TEST_CASE("multi_head: masks") {
  const Made plain("multi_head", 8, {{"heads", "2"}}), causal("multi_head", 8, {{"heads", "2"}, {"causal", "true"}});
  const Var x = tokens({2, 4, 8}, 1);
  Tensor forbidden = Tensor::full({4, 4}, 0, DType::boolean), added = Tensor::zeros({4, 4});
  for (int i = 0; i < 4; ++i)
    for (int j = i + 1; j < 4; ++j) forbidden.data<bool>()[4 * i + j] = true, added.data<float>()[4 * i + j] = -INFINITY;
  const Tensor want = causal.run({x});
  CHECK(close(plain.run({x, {}, {}, {}, Var(forbidden)}), want));
  CHECK(close(plain.run({x, {}, {}, {}, Var(added)}), want));
  Tensor each = Tensor::empty({4, 4, 4}, DType::boolean);
  each.copy_from(forbidden.reshape({1, 4, 4}));
  CHECK(close(plain.run({x, {}, {}, {}, Var(each)}), want));
  // The last key hidden is the last key absent.
  Tensor padding = Tensor::full({2, 4}, 0, DType::boolean);
  padding.data<bool>()[3] = padding.data<bool>()[7] = true;
  const Var fewer(x.value().slice(1, 0, 3).clone());
  CHECK(close(plain.run({x, {}, {}, Var(padding)}), plain.run({x, fewer, fewer})));
  CHECK_THROWS_WITH(plain.run({x, {}, {}, Var(Tensor::zeros({2, 3}))}),
                    Catch::Matchers::ContainsSubstring("expected a key_padding_mask 2x4, got 2x3"));
}

TEST_CASE("multi_head: keys that everybody sees") {
  const Made made("multi_head", 8, {{"heads", "2"}, {"add_bias_kv", "true"}, {"add_zero_attn", "true"}, {"causal", "true"}});
  const Var x = tokens({2, 4, 8}, 1);
  TapScope taps("**.attention");
  made.run({x});
  REQUIRE(taps.kept.size() == 1);
  const Tensor w = taps.kept[0].second.value();
  CHECK(w.shape() == Shape{2, 2, 4, 6});
  CHECK(w.values()[1] == 0);  // row 0 sees itself and the two that were added
  for (const int j : {0, 4, 5}) CHECK(w.values()[static_cast<std::size_t>(j)] > 0);
}

TEST_CASE("windows: cut and joined again, with shift and padding") {
  for (const bool pad_first : {true, false})
    for (const Extent map : {Extent{6, 4}, Extent{7, 5}, Extent{1, 9}, Extent{4, 4}})
      for (const Extent shift : {Extent{0, 0}, Extent{1, 1}, Extent{0, 1}}) {
        const WindowGrid grid(map, {3, 2}, shift, pad_first);
        const Var x = tokens({2, map.area(), 3}, 1);
        CHECK(max_difference(grid.join(grid.cut(x)).value(), x.value()) == 0);
      }
  CHECK_THROWS_AS(WindowGrid({6, 6}, {3, 3}, {3, 0}, true), Error);
}

TEST_CASE("windows: a shifted window's mask by hand") {
  // A map of one row, windows of two, rolled by one: the last window holds tokens 3 and 0, which may not meet.
  const WindowGrid grid({1, 4}, {1, 2}, {0, 1}, true);
  const Var x(Tensor::from(std::vector<float>{0, 1, 2, 3}, {1, 4, 1}));
  CHECK(grid.cut(x).value().values() == std::vector<double>{1, 2, 3, 0});
  CHECK(grid.mask().value().values() == std::vector<double>{0, 0, 0, 0, 0, -100, -100, 0});
  CHECK(relative_positions({1, 2}, {1, 2}).value().values() == std::vector<double>{1, 0, 2, 1});
  CHECK(relative_positions({1, 1}, {2, 2}).value().values() == std::vector<double>{4});
}

TEST_CASE("swin_block: an unshifted block keeps windows apart") {
  const Made made("swin_block", 4, {}, {{"window", {"2"}}});
  Tensor x = random_tensor({1, 4, 4, 4}, 1).to(DType::f32);
  const Tensor before = made.run({Var(x.clone())}).clone();
  for (std::int64_t c = 0; c < 4; ++c) x.slice(1, c, c + 1).slice(2, 0, 1).slice(3, 0, 1).fill(3);
  const Tensor after = made.run({Var(x)});
  CHECK(max_difference(before.slice(2, 2, 4), after.slice(2, 2, 4)) == 0);
  CHECK(max_difference(before.slice(2, 0, 2).slice(3, 2, 4), after.slice(2, 0, 2).slice(3, 2, 4)) == 0);
  CHECK(max_difference(before.slice(2, 1, 2).slice(3, 1, 2), after.slice(2, 1, 2).slice(3, 1, 2)) > 0);
}

TEST_CASE("swin_block: what the positions received adds up to one token's attention") {
  for (const char* name : {"swin_block", "swin_block_v2"}) {
    const Made made(name, 6, {{"heads", "3"}}, {{"window", {"3"}}, {"shift", {"1"}}});
    const TapScope taps("**.received");
    made.run({tokens({2, 6, 6, 9}, 2)});
    REQUIRE(taps.kept.size() == 1);
    CHECK(taps.kept[0].first == "net.attn.received");
    CHECK(taps.kept[0].second.shape() == Shape{2, 3, 1, 54});
    for (const double share : mean(taps.kept[0].second, {3}).value().values()) CHECK(share * 54 == Approx(1).epsilon(1e-5));
  }
}

TEST_CASE("swin_block: small maps, other windows, drop path") {
  for (const char* name : {"swin_block", "swin_block_v2"})
    for (const char* padding : {"before_shift", "after_shift"}) {
      const Made made(name, 6, {{"heads", "3"}, {"padding", padding}, {"clip", "axis"}},
                      {{"window", {"3", "5"}}, {"shift", {"1", "2"}}});
      for (const Shape& shape : {Shape{2, 6, 2, 4}, Shape{1, 6, 7, 11}, Shape{1, 6, 3, 5}, Shape{1, 6, 1, 1}})
        CHECK(made.run({tokens(shape, 2)}).shape() == shape);
    }
  const Made dropped("swin_block", 4, {{"drop_path", "0.999999"}}, {{"window", {"2"}}});
  Random random(1);
  const Training training(random);
  const Var x = tokens({1, 4, 4, 4}, 1);
  CHECK(max_difference(dropped.run({x}), x.value()) == 0);
  CHECK_THROWS_WITH(Made("swin_block", 4, {}, {{"window", {"2"}}, {"shift", {"2"}}}),
                    Catch::Matchers::ContainsSubstring("shift below the window"));
}

TEST_CASE("head_drop: survivors are scaled, nobody is scaled when all fall") {
  const Var x(Tensor::full({2, 4, 3}, 1));
  CHECK(keep_heads(x, {true, false, true, false}).value().values()[0] == 2);
  CHECK(keep_heads(x, {true, false, true, false}).value().values()[3] == 0);
  for (const double v : keep_heads(x, {false, false, false, false}).value().values()) CHECK(v == 0);
  CHECK(head_drop(x, 0.5).value().values() == x.value().values());  // not in training
  Random random(1);
  const Training training(random);
  for (int i = 0; i < 20; ++i) {
    double sum = 0;
    for (const double v : head_drop(x, 0.5).value().values()) sum += v;
    CHECK((sum == 0 || std::abs(sum - 24) < 1e-4));
  }
}

TEST_CASE("cosine_attention: weights sum to 1 over what is kept") {
  const Made made("cosine_attention", 1);
  const Tensor keep = Tensor::from(std::vector<float>{1, 0, 1}, {1, 3}).to(DType::boolean);
  const auto w = made.run({tokens({1, 4}, 1), tokens({1, 3, 4}, 2), Var(keep)}).values();
  CHECK(w[1] == 0);
  CHECK(w[0] + w[2] == Approx(1));
}
