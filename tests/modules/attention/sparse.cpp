// Sparse and adaptively sparse attention: patterns by hand, gradients through every option, what inputs may be.
#include "modules/attention/self/sparse_pattern.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/reshape.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using Options = std::map<std::string, std::string>;
using Lists = std::map<std::string, std::vector<std::string>>;

namespace {

struct Made {
  std::shared_ptr<ParamStore> store = std::make_shared<ParamStore>(5);
  std::unique_ptr<Block> block;
  Made(const std::string& name, std::int64_t channels, const Options& options, const Lists& lists = {}) {
    block = Registry::global().make(name, Scope(store) / "net", channels, Args("test", options, {}, lists));
  }
};

// The block with its parameters as further inputs, through the op harness.
void check_tokens(const std::string& name, std::int64_t channels, const Options& options, const Tensors& values) {
  const Made made(name, channels, options);
  Tensors inputs = values;
  test::OpCheck check{.bf16 = false, .strided = false, .conditioning = 32};
  for (const auto& e : made.store->entries()) {
    check.parameters.insert(inputs.size());
    inputs.push_back(e.value.value().to(DType::bf16).to(DType::f64));
  }
  const auto run = [&](const Vars& in) {
    const Made own(name, channels, options);
    std::size_t i = values.size();
    for (const auto& e : own.store->entries()) {
      const Var given = reshape(in.at(i++), e.value.shape());
      *e.value.state() = *given.state();
    }
    return (*own.block)(Vars(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(values.size())));
  };
  test::check_op(name, run, inputs, check);
}

Tensor tap_of(const Made& made, const Vars& in, const std::string& name) {
  TapScope taps("net." + name);
  (*made.block)(in);
  REQUIRE(taps.kept.size() == 1);
  return taps.kept[0].second.value();
}

// Rows of the mask as text.
std::vector<std::string> pattern(const Options& options, std::int64_t length, const Lists& lists = {}) {
  const Made made("sparse_attention", 4, options, lists);
  const Tensor mask = tap_of(made, {Var(test::random_tensor({1, length, 4}, 1).to(DType::f32))}, "mask");
  const auto values = mask.values();
  std::vector<std::string> rows(values.size() / static_cast<std::size_t>(length));
  for (std::size_t i = 0; i < values.size(); ++i) rows[i / static_cast<std::size_t>(length)] += values[i] == 1 ? '1' : '0';
  return rows;
}

}  // namespace

TEST_CASE("sparse_attention: the patterns") {
  using Rows = std::vector<std::string>;
  CHECK(pattern({{"pattern", "all"}, {"bidirectional", "false"}}, 3) == Rows{"100", "110", "111"});
  CHECK(pattern({{"pattern", "all"}}, 2) == Rows{"11", "11"});
  CHECK(pattern({{"pattern", "local"}, {"context", "2"}, {"bidirectional", "false"}}, 4) == Rows{"1000", "1100", "0110", "0011"});
  CHECK(pattern({{"pattern", "local"}, {"context", "2"}}, 4) == Rows{"1100", "1110", "0111", "0011"});
  CHECK(pattern({{"pattern", "strided"}, {"stride", "2"}, {"bidirectional", "false"}}, 4) ==
        Rows{"1000", "0100", "1010", "0101"});
  CHECK(pattern({{"pattern", "strided"}, {"stride", "3"}}, 5) == Rows{"10010", "01001", "00100", "10010", "01001"});
  // Windows [0, 3] and [3, 6]; column 2 and 3, 5 and 6 are summaries.
  const Options fixed{{"pattern", "fixed"}, {"stride", "3"}, {"expressivity", "1"}};
  CHECK(pattern(fixed, 7) == Rows{"1111011", "1111011", "1111011", "1111011", "0011111", "0011111", "0011111"});
  Options forward = fixed;
  forward["bidirectional"] = "false";
  CHECK(pattern(forward, 7) == Rows{"1000000", "1100000", "1110000", "1111000", "0011100", "0011110", "0011111"});
  CHECK(pattern({{"heads", "2"}, {"context", "1"}, {"stride", "2"}}, 2, {{"pattern", {"local", "all"}}}) ==
        Rows{"10", "01", "11", "11"});
}

// Key j of query i by the formulas of sparse_pattern.hpp, one pair at a time.
bool by_formula(const SparsePattern& p, std::int64_t i, std::int64_t j) {
  const std::string& kind = p.kinds.front();
  if (!p.bidirectional && j > i) return false;
  if (kind == "all") return true;
  if (kind == "local") return std::abs(i - j) < p.context;
  if (kind == "strided") return (i - j) % p.stride == 0;
  const std::int64_t window = i == 0 ? 0 : (i - 1) / p.stride * p.stride, behind = j % p.stride;
  return (j >= window && j <= window + p.stride) || (j > 0 && behind == 0) || p.stride - behind <= p.expressivity;
}

TEST_CASE("sparse_attention: patterns tile by tile are what the formulas say; a tile that is not touched is hidden") {
  const std::int64_t length = 40;
  bool seen[length];
  for (const char* kind : {"all", "local", "strided", "fixed"})
    for (const std::int64_t size : {1, 3, 7, 50})
      for (const bool both : {true, false}) {
        SparsePattern p;
        p.kinds = {kind}, p.context = size, p.stride = size, p.expressivity = std::min<std::int64_t>(size, 2),
        p.bidirectional = both;
        INFO(kind << " " << size << " " << both);
        for (std::int64_t row = 0; row < length; row += 5)
          for (std::int64_t first = 0; first < length; first += 4)
            for (const std::int64_t count : {1, 4, 9}) {
              const KeyPattern::Range rows{row, 5}, columns{first, std::min(count, length - first)};
              bool any = false;
              for (std::int64_t i = row; i < row + 5; ++i) {
                p.look(0, i, columns, seen);
                for (std::int64_t j = 0; j < columns.count; ++j) {
                  CHECK(seen[j] == by_formula(p, i, first + j));
                  any = any || seen[j];
                }
              }
              CHECK((p.touches(0, rows, columns) || !any));
              if (both) CHECK((any || !p.touches(0, rows, columns)));  // exactly, but for what comes after the query
            }
      }
}

TEST_CASE("sparse_attention: values, gradients, inputs") {
  const Tensor x = test::random_tensor({2, 9, 8}, 1), y = test::random_tensor({2, 9, 8}, 2),
               z = test::random_tensor({2, 9, 8}, 3);
  check_tokens("sparse_attention", 8, {{"heads", "2"}, {"stride", "4"}, {"expressivity", "1"}}, {x});
  check_tokens("sparse_attention", 8, {{"heads", "2"}, {"pattern", "local"}, {"context", "3"}, {"projections", "false"}},
               {x, y, z});
  const Made made("sparse_attention", 8, {{"heads", "2"}, {"stride", "4"}, {"expressivity", "1"}, {"bidirectional", "false"}});
  const Tensor weights = tap_of(made, {Var(x.to(DType::f32))}, "attention");
  CHECK(weights.shape() == Shape{2, 2, 9, 9});
  const auto w = weights.values();
  for (std::int64_t i = 0; i < 9; ++i)
    for (std::int64_t j = i + 1; j < 9; ++j) CHECK(w[static_cast<std::size_t>(i * 9 + j)] == 0);
  // A mask that forbids everything but the first key leaves a one-hot distribution.
  Tensor mask = Tensor::full({1, 1, 9, 9}, -1e9);
  for (std::int64_t i = 0; i < 9; ++i) mask.data<float>()[i * 9] = 0;
  const Made all("sparse_attention", 8, {{"pattern", "all"}});
  for (const double first : tap_of(all, {Var(x.to(DType::f32)), Var(mask)}, "attention").slice(3, 0, 1).values())
    CHECK(first == 1);
  CHECK_THROWS_AS(Made("sparse_attention", 8, {{"heads", "3"}}), Error);
  CHECK_THROWS_AS(Made("sparse_attention", 8, {{"pattern", "spiral"}}), Error);
  CHECK_THROWS_AS(Made("sparse_attention", 8, {{"stride", "4"}, {"expressivity", "5"}}), Error);
}

TEST_CASE("adaptive_sparse: values, gradients, inputs") {
  const Tensor x = test::random_tensor({2, 5, 8}, 1), context = test::random_tensor({2, 7, 6}, 2);
  Tensor mask = Tensor::zeros({2, 1, 1, 7}, DType::f64);
  for (std::int64_t j = 4; j < 7; ++j) mask.data<double>()[7 + j] = -10000;
  for (const char* alpha : {"sigmoid", "direct", "fixed", "softmax"}) {
    INFO(alpha);
    check_tokens("adaptive_sparse", 8, {{"heads", "2"}, {"alpha", alpha}}, {x});
    const Options crossed{{"heads", "2"}, {"alpha", alpha}, {"context_channels", "6"}, {"width", "4"}};
    check_tokens("adaptive_sparse", 8, crossed, {x, context});
    const Made made("adaptive_sparse", 8, crossed);
    const Tensor weights =
        tap_of(made, {Var(x.to(DType::f32)), Var(context.to(DType::f32)), Var(mask.to(DType::f32))}, "attention");
    for (const double hidden : weights.slice(0, 1, 2).slice(3, 4, 7).values()) CHECK(hidden == 0);
  }
  CHECK_THROWS_AS(Made("adaptive_sparse", 8, {{"heads", "3"}}), Error);
  CHECK_THROWS_AS(Made("adaptive_sparse", 8, {{"alpha", "beta"}}), Error);
}
