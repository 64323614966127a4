// Monotonic attention: every form against its recurrence in plain loops, through the op harness, and hard decoding step by step.
#include <cmath>

#include "modules/attention/monotonic/alignment.hpp"
#include "modules/nn/training.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/unary.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_block.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using namespace fovea::test;
using V = std::vector<double>;
using Rows = std::vector<V>;

namespace {

struct F64 {
  Precision precision{DType::f64};
};

// alpha of all outputs by the recurrence of the paper.
Rows recurrence(const Rows& p) {
  V previous(p[0].size());
  previous[0] = 1;
  Rows out;
  for (const V& row : p) {
    V alpha(row.size());
    double q = 0;
    for (std::size_t j = 0; j < row.size(); ++j) {
      q = (j > 0 ? (1 - row[j - 1]) * q : 0) + previous[j];
      alpha[j] = row[j] * q;
    }
    out.push_back(previous = alpha);
  }
  return out;
}

// beta by its definition; w < 0: windows that begin at the first entry.
V by_windows(const V& alpha, const V& e, int w) {
  V beta(alpha.size());
  for (int k = 0; k < static_cast<int>(alpha.size()); ++k) {
    const int begin = w < 0 ? 0 : std::max(0, k - w + 1);
    double sum = 0;
    for (int l = begin; l <= k; ++l) sum += e[static_cast<std::size_t>(l)];
    for (int j = begin; j <= k; ++j)
      beta[static_cast<std::size_t>(j)] += e[static_cast<std::size_t>(j)] * alpha[static_cast<std::size_t>(k)] / sum;
  }
  return beta;
}

Tensor probabilities(const Shape& shape, std::uint64_t seed) { return sigmoid(Var(random_tensor(shape, seed))).value(); }
Rows rows_of(const Tensor& t) {
  Rows rows;
  const auto values = t.values();
  for (std::size_t i = 0; i < values.size(); i += static_cast<std::size_t>(t.dim(-1)))
    rows.emplace_back(values.begin() + static_cast<std::ptrdiff_t>(i),
                      values.begin() + static_cast<std::ptrdiff_t>(i) + t.dim(-1));
  return rows;
}

void close(const V& a, const V& b, double tolerance = 1e-11) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(std::abs(a[i] - b[i]) <= tolerance);
}

}  // namespace

TEST_CASE("monotonic alignment: recursive and closed forms are the recurrence of the paper") {
  const F64 f64;
  const Tensor p = probabilities({1, 4, 7}, 1);
  const Rows want = recurrence(rows_of(p));
  const Tensor all = closed_alignments(Var(p), {}, raffel_form()).value();
  close(all.values(), [&] {
    V flat;
    for (const V& row : want) flat.insert(flat.end(), row.begin(), row.end());
    return flat;
  }());
  // 1e-6 added inside each of seven logarithms of 1 - p, of which the least is some 0.05, and clipped divisors.
  for (const ClosedForm& form : {neural_sp_form(1e-6, true), fairseq_form(1e-6)})
    CHECK(max_difference(closed_alignments(Var(p), {}, form).value(), all) < 7 * 1e-6 / 0.05);
  Var alpha;
  for (std::int64_t i = 0; i < 4; ++i) {
    const Var row = slice(Var(p), 1, i, i + 1);
    alpha = recursive_alignment(row, alpha.defined() ? alpha : at_start(row));
    close(alpha.value().values(), want[static_cast<std::size_t>(i)]);
  }
}

TEST_CASE("monotonic alignment: the recursion holds where the closed form is at its limits") {
  const F64 f64;
  // A sure stop: 1 - p is 0 there and nothing is left behind it.
  const Tensor p = Tensor::from(V{0.5, 1, 0.5, 0.5, 0.2, 0, 1, 0.5}, {1, 2, 4});
  const Rows want = recurrence(rows_of(p));
  const Var first = recursive_alignment(slice(Var(p), 1, 0, 1), at_start(slice(Var(p), 1, 0, 1)));
  close(first.value().values(), want[0]);
  close(recursive_alignment(slice(Var(p), 1, 1, 2), first).value().values(), want[1]);
  for (const double v : closed_alignments(Var(p), {}, raffel_form()).value().values()) CHECK(std::isfinite(v));
}

TEST_CASE("monotonic alignment: hard, the first that fires from the last place on") {
  const Var p(Tensor::from(V{0, 1, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 1, 1}, {1, 4, 4}));
  CHECK(hard_alignments(p, {}).value().values() ==
        V{0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0});  // what stopped nowhere goes on from nowhere
  CHECK(window_mask(Var(Tensor::from(V{0, 0, 1, 0}, {1, 4})), 2).value().values() == V{0, 1, 1, 0});
  CHECK(window_mask(Var(Tensor::from(V{0, 0, 1, 0}, {1, 4})), -1).value().values() == V{1, 1, 1, 0});
}

TEST_CASE("windowed attention is its definition") {
  const F64 f64;
  const Tensor alpha = probabilities({1, 6}, 1), e = probabilities({1, 6}, 2);
  for (const int w : {1, 2, 3, 6, 9, -1})
    close(windowed_attention(Var(alpha), Var(e), w).value().values(), by_windows(alpha.values(), e.values(), w));
}

TEST_CASE("monotonic blocks through the op harness") {
  const Tensor p = probabilities({2, 6}, 1).to(DType::bf16).to(DType::f64),
               previous = probabilities({2, 6}, 2).to(DType::bf16).to(DType::f64);
  for (const char* mode : {"recursive", "parallel"})
    check_block("monotonic_alignment", 1, {p, previous}, {{"mode", mode}}, {}, {}, {.conditioning = 32});
  check_block("monotonic_energy", 4, {random_tensor({2, 5, 4}, 1), random_tensor({2, 3}, 2)},
              {{"dec_dim", "3"}, {"att_dim", "5"}});
  check_block("monotonic_energy", 4, {random_tensor({2, 5, 4}, 1), random_tensor({2, 6, 3}, 2)},
              {{"dec_dim", "3"}, {"att_dim", "5"}});
  const Tensor key = random_tensor({2, 6, 4}, 1), query = random_tensor({2, 3, 5}, 2);
  const OpCheck loose{.conditioning = 32};  // quotients of products of seven factors
  for (const char* type : {"scaled_dot", "add"}) {
    check_block("mocha", 4, {key, query}, {{"qdim", "5"}, {"adim", "6"}, {"atype", type}}, {}, {}, loose);
    check_block("mocha", 4, {key, query},
                {{"qdim", "5"},
                 {"adim", "8"},
                 {"odim", "3"},
                 {"atype", type},
                 {"chunk_size", "3"},
                 {"heads_mono", "2"},
                 {"heads_chunk", "2"}},
                {}, {}, loose);
  }
  check_block("mocha", 4, {key, query},
              {{"qdim", "5"}, {"adim", "4"}, {"chunk_size", "-1"}, {"heads_mono", "2"}, {"conv1d", "true"}}, {}, {}, loose);
  check_block("mocha", 4, {key, query},
              {{"qdim", "5"},
               {"adim", "4"},
               {"chunk_size", "2"},
               {"heads_mono", "2"},
               {"share_chunkwise_attention", "true"},
               {"bias", "false"},
               {"no_denominator", "true"},
               {"sharpening_factor", "1.5"}},
              {}, {}, loose);
  for (const char* kind : {"hard", "infinite_lookback", "waitk"})
    check_block("monotonic_multi_head", 6, {random_tensor({2, 3, 6}, 3), key},
                {{"kind", kind}, {"heads", "2"}, {"kdim", "4"}, {"energy_bias", "true"}}, {},
                std::string(kind) == "waitk" ? std::set<std::string>{"net.energy_bias"} : std::set<std::string>{}, loose);
  check_block("sparse_monotonic", 4, {key, random_tensor({2, 3, 4}, 5)},
              {{"self_heads", "2"}, {"mono_heads", "2"}, {"chunk_size", "2"}}, {}, {}, loose);
}

TEST_CASE("mocha: masked entries get nothing and might as well be absent") {
  const F64 f64;
  for (const char* chunk : {"1", "2", "-1"})
    for (const char* mode : {"parallel", "hard"}) {
      INFO("chunk " << chunk << ", " << mode);
      MadeBlock m = make_block("mocha", 4, {{"heads_mono", "2"}, {"chunk_size", chunk}, {"mode", mode}});
      randomise(*m.store);
      const Tensor key = random_tensor({1, 6, 4}, 1), query = random_tensor({1, 3, 4}, 2);
      const Var keep(Tensor::from(V{1, 1, 1, 1, 0, 0}, {1, 6}).to(DType::boolean));
      const Vars masked = (*m.block)(Vars{key, query, {}, keep}), fewer = (*m.block)(Vars{key.slice(1, 0, 4).clone(), query});
      // A masked entry's exp is held at 1e-5 of the largest as that of any other, which only the entries behind the last real one
      // see.
      close(masked[0].value().values(), fewer[0].value().values(), 1e-9);
      CHECK(fails_with(
          [&] {
            (*m.block)(Vars{key, query, {}, Var(Tensor::zeros({1, 5}, DType::boolean))});
          },
          "expected a mask 1x6 or 1x3x6, got 1x5"));
    }
}

TEST_CASE("mocha: hard attention one output at a time, the alignment handed on, is that of all at once") {
  const F64 f64;
  MadeBlock m = make_block("mocha", 4, {{"heads_mono", "2"}, {"chunk_size", "2"}, {"mode", "hard"}});
  randomise(*m.store);
  Var(m.store->find("net.monotonic_energy.r")->value).set_value(Tensor::full({1}, 0.1, DType::f64));
  const Var key(random_tensor({1, 8, 4}, 1)), query(random_tensor({1, 5, 4}, 2));
  const Vars whole = (*m.block)(Vars{key, query});
  Var alpha;
  double fired = 0;
  for (std::int64_t i = 0; i < 5; ++i) {
    const Vars one = (*m.block)(Vars{key, slice(query, 1, i, i + 1), {}, {}, alpha});
    close(one[0].value().values(), whole[0].value().slice(1, i, i + 1).values());
    close(one[1].value().values(), whole[1].value().slice(2, i, i + 1).values());
    alpha = one[1];
    for (const double v : alpha.value().values()) fired += v;
  }
  CHECK(fired > 0);
}

TEST_CASE("mocha: with sure probabilities the expectation is the hard choice") {
  const F64 f64;
  for (const char* chunk : {"1", "2", "-1"}) {
    V values[2];
    for (const bool hard : {false, true}) {
      MadeBlock m = make_block(
          "mocha", 4, {{"heads_mono", "2"}, {"chunk_size", chunk}, {"mode", hard ? "hard" : "parallel"}, {"eps", "1e-12"}});
      randomise(*m.store);
      for (const auto& e : m.store->entries())  // energies of some hundred
        if (e.name.rfind("net.monotonic_energy.w_", 0) == 0) Var(e.value).set_value(scale(e.value, 30).value());
      values[hard] = (*m.block)(Vars{random_tensor({1, 6, 4}, 1), random_tensor({1, 3, 4}, 2)})[1].value().values();
    }
    close(values[0], values[1], 1e-4);
  }
}

TEST_CASE("monotonic_multi_head: mass that is preserved, padding, hard places") {
  const F64 f64;
  const Tensor query = random_tensor({2, 3, 6}, 1), key = random_tensor({2, 7, 6}, 2);
  const Var padding(Tensor::from(V{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1}, {2, 7}).to(DType::boolean));
  for (const char* kind : {"hard", "infinite_lookback"})
    for (const char* mode : {"parallel", "hard"}) {
      INFO(kind << " " << mode);
      MadeBlock m = make_block("monotonic_multi_head", 6, {{"kind", kind}, {"heads", "2"}, {"mode", mode}});
      randomise(*m.store);
      const Vars y = (*m.block)(Vars{query, key, {}, padding});
      const Tensor weights = tap_of(*m.block, {query, key, {}, padding}, "net.attention");
      for (const Tensor& t : {y[1].value(), weights})
        for (const V& row : rows_of(t)) {
          double sum = 0;
          for (const double v : row) sum += v;
          CHECK(sum == Approx(1).epsilon(1e-5));
        }
      // The padded sample alone, without its padding.
      const Vars alone = (*m.block)(Vars{query.slice(0, 1, 2).clone(), key.slice(0, 1, 2).slice(1, 0, 4).clone()});
      close(y[0].value().slice(0, 1, 2).values(), alone[0].value().values(), 1e-9);
    }
  MadeBlock waits = make_block("monotonic_multi_head", 6, {{"kind", "waitk"}, {"lagging", "3"}, {"mode", "hard"}});
  const Rows alpha = rows_of((*waits.block)(Vars{query.to(DType::f32), key.to(DType::f32)})[1].value());
  for (std::size_t i = 0; i < 3; ++i) CHECK(alpha[i][i + 2] == 1);
}

TEST_CASE("mocha: noise and left out heads in training only") {
  MadeBlock m = make_block("mocha", 4, {{"heads_mono", "4"}, {"chunk_size", "2"}, {"dropout_head", "0.5"}, {"noise_std", "2"}});
  const Var key(random_tensor({1, 6, 4}, 1).to(DType::f32)), query(random_tensor({1, 3, 4}, 2).to(DType::f32));
  const V quiet = (*m.block)(Vars{key, query})[1].value().values();
  CHECK((*m.block)(Vars{key, query})[1].value().values() == quiet);
  Random random(2);
  const Training training(random);
  CHECK((*m.block)(Vars{key, query})[1].value().values() != quiet);
}
