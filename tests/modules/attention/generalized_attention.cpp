#include "modules/nn/registry.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"
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
  explicit Made(const Options& options, double gamma = 1) {
    Options all{{"heads", "2"}};
    for (const auto& [name, value] : options) all[name] = value;
    block = Registry::global().make("generalized_attention", Scope(store), 8, Args("recipe", all));
    set("gamma", gamma);
  }
  void set(const std::string& name, double value) {
    Var v = store->find(name)->value;
    v.set_value(Tensor::full(v.shape(), value));
  }
  bool has(const std::string& name) const { return store->find(name) != nullptr; }
  Tensor attention(const Var& x) const {
    TapScope taps("attention");
    (*block)(x);
    REQUIRE(taps.kept.size() == 1);
    return taps.kept.front().second.value();
  }
};

Var picture(std::int64_t rows, std::int64_t columns) { return Var(random_tensor({2, 8, rows, columns}, 1).to(DType::f32)); }

}  // namespace

TEST_CASE("generalized_attention: parameters only where the terms need them; maps whose rows add up to one") {
  for (int flags = 1; flags < 16; ++flags) {
    std::string terms;
    for (int bit = 3; bit >= 0; --bit) terms += flags >> bit & 1 ? '1' : '0';
    INFO(terms);
    const Made made(Options{{"terms", terms}});
    CHECK(made.has("query_conv.weight") == (terms[0] == '1' || terms[1] == '1'));
    CHECK(made.has("key_conv.weight") == (terms[0] == '1' || terms[2] == '1'));
    CHECK(made.has("appr_geom_fc_x.weight") == (terms[1] == '1' || terms[3] == '1'));
    CHECK(made.has("appr_bias") == (terms[2] == '1'));
    CHECK(made.has("geom_bias") == (terms[3] == '1'));
    const Tensor a = made.attention(picture(5, 4));
    const std::int64_t queries = terms == "0010" ? 1 : 20;
    REQUIRE(a.shape() == Shape{2, 2, queries, 6});
    const auto values = a.values();
    for (std::size_t row = 0; row < values.size(); row += 6) {
      double sum = 0;
      for (std::size_t i = row; i < row + 6; ++i) sum += values[i];
      CHECK(std::abs(sum - 1) < 1e-5);
    }
  }
}

TEST_CASE("generalized_attention: a fresh block is the identity") {
  const Made made(Options{}, 0);
  const Var x = picture(5, 4);
  CHECK((*made.block)(x).value().values() == x.value().values());
  CHECK(Registry::global().make("generalized_attention", Scope(std::make_shared<ParamStore>()), 36) != nullptr);
}

// The same terms by two ways: with its bias at zero a term adds nothing.
TEST_CASE("generalized_attention: terms agree with each other") {
  const Var x = picture(4, 5);
  const auto out = [&](const std::string& terms, const Options& more, const std::set<std::string>& zeros) {
    Options options{{"terms", terms}};
    options.insert(more.begin(), more.end());
    Made made(options);
    std::uint64_t seed = 40;  // the same values by name, whatever else is declared
    for (const char* name : {"query_conv.weight", "key_conv.weight", "value_conv.weight", "appr_geom_fc_x.weight",
                             "appr_geom_fc_y.weight", "appr_bias", "geom_bias", "proj_conv.weight"}) {
      ++seed;
      if (!made.has(name)) continue;
      Var v = made.store->find(name)->value;
      v.set_value(zeros.count(name) ? Tensor::zeros(v.shape())
                                    : random_tensor(v.shape(), seed, 0, 0.5).to(DType::f32).contiguous(Layout::row_major));
    }
    return (*made.block)(x).value();
  };
  CHECK(max_difference(out("0100", {}, {}), out("0101", {}, {"geom_bias"})) < 1e-5);
  CHECK(max_difference(out("1000", {}, {}), out("1010", {}, {"appr_bias"})) < 1e-5);
  CHECK(max_difference(out("0010", {}, {}), out("0011", {}, {"geom_bias"})) < 1e-5);
  CHECK(max_difference(out("0010", {{"q_stride", "2"}}, {}), out("0010", {}, {})) < 1e-5);
  CHECK(max_difference(out("1111", {{"spatial_range", "20"}}, {}), out("1111", {}, {})) < 1e-5);
  CHECK(max_difference(out("1111", {{"spatial_range", "1"}}, {}), out("1111", {}, {})) > 1e-3);
  CHECK(max_difference(out("0101", {{"magnitude", "3"}}, {}), out("0101", {}, {})) > 1e-3);
}

TEST_CASE("generalized_attention: mmcv's reading differs on square maps and refuses others") {
  const Made verbatim(Options{{"terms", "0100"}, {"reading", "mmcv"}}), fixed(Options{{"terms", "0100"}});
  const Var square = picture(4, 4);
  CHECK(max_difference(verbatim.attention(square), fixed.attention(square)) > 1e-4);
  CHECK(fails_with([&] { (*verbatim.block)(picture(4, 5)); }, "takes square maps only, got 4 x 5 queries; use reading: fixed"));
  const Made both(Options{{"terms", "0101"}, {"reading", "mmcv"}});  // mmcv is right here
  CHECK(max_difference(both.attention(square), Made(Options{{"terms", "0101"}}).attention(square)) == 0);
}

TEST_CASE("generalized_attention: strides, widths and messages") {
  const Made made(Options{{"q_stride", "2"}, {"kv_stride", "3"}, {"position_embedding_dim", "12"}});
  CHECK(made.store->find("appr_geom_fc_x.weight")->value.shape() == Shape{8, 6});
  const Var x = picture(7, 6);
  CHECK(made.attention(x).shape() == Shape{2, 2, 12, 6});
  CHECK((*made.block)(x).shape() == x.shape());
  CHECK(fails_with([] { Made(Options{{"terms", "0000"}}); }, "terms: expected four digits 0 or 1, not all 0, got '0000'"));
  CHECK(fails_with([] { Made(Options{{"terms", "12"}}); }, "terms: expected four digits"));
  CHECK(fails_with([] { Made(Options{{"heads", "9"}}); }, "heads: expected 1 to 8, got 9"));
  CHECK(fails_with([] { Made(Options{{"position_embedding_dim", "6"}}); }, "expected a multiple of 4, got 6"));
  CHECK(fails_with([] { Made(Options{{"reading", "other"}}); }, "reading: expected fixed or mmcv"));
}
