// Self-attention, rollout and the statistics of heads against matrices known by hand.
#include "modules/explain/attention.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "modules/autograd/tap.hpp"
#include "modules/core/random.hpp"
#include "modules/explain/methods.hpp"
#include "modules/explain/statistics.hpp"
#include "modules/ops/unary.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using namespace fovea::explain;
using fovea::test::fails_with;

namespace {

AttentionMatrix one_head(std::int64_t n, std::vector<double> values) { return {1, n, n, std::move(values)}; }

// A 2 x 2 raster of stride 8 with two heads: one looks at itself, one everywhere.
Layer two_by_two(std::int64_t prefix = 0) {
  const std::int64_t n = 4 + prefix;
  return {"block.attention", {1, 2, n, n}, LayerKind::attention, {2, 2, 3.5, 3.5, 8, 8}, prefix};
}
Tensor self_and_even() {
  std::vector<float> v(32, 0.25f);
  for (std::size_t q = 0; q < 4; ++q)
    for (std::size_t k = 0; k < 4; ++k) v[q * 4 + k] = q == k ? 1.0f : 0.0f;
  return Tensor::from(v, {1, 2, 4, 4});
}

}  // namespace

TEST_CASE("explain: rollout of known matrices") {
  const std::vector<double> identity{1, 0, 0, 1}, swap{0, 1, 1, 0}, even{0.5, 0.5, 0.5, 0.5};
  CHECK(rolled_out({one_head(2, identity), one_head(2, identity)}).values == identity);
  CHECK(rolled_out({one_head(2, swap)}).values == even);
  CHECK(rolled_out({one_head(2, even)}).values == std::vector<double>{0.75, 0.25, 0.25, 0.75});
  // (first layer) = [[.75 .25] [.25 .75]], (second) = ([[1 0] [1 0]] + I) / 2 = [[1 0] [.5 .5]]; second times first.
  const auto both = rolled_out({one_head(2, even), one_head(2, {1, 0, 1, 0})});
  CHECK(both.values == std::vector<double>{0.75, 0.25, 0.5, 0.5});
  // Rows that do not sum to 1 are made to; heads are averaged.
  const AttentionMatrix heads{2, 2, 2, {2, 0, 0, 2, 0, 2, 2, 0}};
  for (const double v : {rolled_out({heads}).values[0], rolled_out({heads}).values[3]}) CHECK(v == Approx(2.0 / 3));
  CHECK(fails_with([&] { rolled_out({one_head(2, even), one_head(1, {1})}); }, "square matrices of one size, 2, got 1x1"));
}

TEST_CASE("explain: a class token says what is looked at; without one all positions do") {
  const AttentionMatrix m = one_head(3, {0.2, 0.5, 0.3, 0, 1, 0, 0, 0, 1});
  CHECK(received(m, 0, 1) == std::vector<double>{0.5, 0.3});
  const auto mean = received(m, 0, 0);
  CHECK(mean[0] == Approx(0.2 / 3));
  CHECK(mean[1] == Approx(1.5 / 3));
  CHECK(mean[2] == Approx(1.3 / 3));
}

TEST_CASE("explain: attention taps become maps, heads of them, and bars") {
  const Tensor matrix = self_and_even();
  const ForwardFunction network = [&](const Var& x) {
    tap("attention", Var(matrix));
    tap("channel", Var(Tensor::from(std::vector<float>{0.5f, 0.25f}, {1, 2, 1, 1})));
    return tap("spatial", scale(x, 2));
  };
  Request r{network, Tensor::full({1, 1, 2, 2}, 3.0, DType::f32, Layout::channels_last), {}, {}, {}, {}};
  r.layers = layers_of(network, r.x.shape());
  Explanation e = attention(r);
  REQUIRE(e.maps.size() == 2);
  REQUIRE(e.bars.size() == 1);
  for (const double v : e.maps[0].values) CHECK(v == Approx(0.25));
  CHECK(e.maps[1].values == std::vector<double>(4, 6));
  CHECK(e.bars[0].values == std::vector<double>{0.5, 0.25});
  r.options.heads = true;
  e = attention(r);
  REQUIRE(e.maps.size() == 3);
  CHECK(e.maps[1].name == "attention.head1");
}

TEST_CASE("explain: entropy and divergences of known distributions") {
  const std::vector<double> even(8, 0.125), one{0, 0, 1, 0, 0, 0, 0, 0}, other{0, 1, 0, 0, 0, 0, 0, 0};
  CHECK(entropy(even) == Approx(std::log(8)));
  CHECK(entropy(one) == 0);
  CHECK(kl_from_uniform(even) == Approx(0).margin(1e-12));
  CHECK(kl_from_uniform(one) == Approx(std::log(8)));
  CHECK(js_divergence(one, one) == 0);
  CHECK(js_divergence(one, other) == Approx(std::log(2)));
  CHECK(js_divergence(even, one) == Approx(js_divergence(one, even)));
  const std::vector<double> p{0.1, 0.2, 0.7}, q{0.3, 0.3, 0.4}, scaled{1, 2, 7};
  double by_kl = 0;
  for (std::size_t i = 0; i < 3; ++i)
    by_kl += 0.5 * (p[i] * std::log(2 * p[i] / (p[i] + q[i])) + q[i] * std::log(2 * q[i] / (p[i] + q[i])));
  CHECK(js_divergence(p, q) == Approx(by_kl));
  CHECK(js_divergence(scaled, q) == Approx(by_kl));
}

TEST_CASE("explain: statistics of a head that looks at itself and of one that looks everywhere") {
  Statistics s;
  for (int image = 0; image < 3; ++image) s.add(two_by_two(), self_and_even());
  const auto rows = s.rows();
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].values.entropy.mean() == 0);
  CHECK(rows[0].values.distance.mean() == 0);
  CHECK(rows[0].values.from_uniform.mean() == Approx(std::log(4)));
  CHECK(rows[1].values.entropy.mean() == Approx(std::log(4)));
  CHECK(rows[1].values.distance.mean() == Approx((8 + 8 + 8 * std::sqrt(2)) / 4));  // of 0, 8, 8 and the diagonal
  CHECK(rows[1].values.from_uniform.mean() == Approx(0).margin(1e-9));
  const std::vector<double> even(4, 0.25), one{1, 0, 0, 0};
  CHECK(rows[0].values.to_others.mean() == Approx(js_divergence(one, even)));
  CHECK(rows[0].values.entropy.count() == 3);
  CHECK(rows[1].values.entropy.stddev() == Approx(0).margin(1e-9));
  const auto json = nlohmann::json::parse(s.json({{"model", "m"}}));
  CHECK(json["model"] == "m");
  CHECK(json["heads"][1]["distance"]["mean"].get<double>() == Approx((16 + 8 * std::sqrt(2)) / 4));
  CHECK(s.csv().find("block.attention,1,attention,4,3,1.38629,") != std::string::npos);
  const std::string svg = statistics_svg(s);
  CHECK(svg.find("Jensen-Shannon") != std::string::npos);
  CHECK(svg.find("block.attention head 1") != std::string::npos);
  CHECK(fails_with(
      [&] {
        s.add(two_by_two(), Tensor::zeros({1, 3, 4, 4}));
      },
      "expected 2 heads over 4 positions as before, got 3"));
}

TEST_CASE("explain: gates of positions count as one head without distance; windows have a raster of their own") {
  Statistics s;
  s.add({"gate.spatial", {1, 1, 2, 2}, LayerKind::spatial, pixel_grid(2, 2), 0}, Tensor::full({1, 1, 2, 2}, 0.3));
  CHECK(s.rows()[0].values.entropy.mean() == Approx(std::log(4)));
  CHECK(s.rows()[0].values.distance.count() == 0);
  Layer windows{"w.attention", {3, 1, 4, 4}, LayerKind::windows, {6, 2, 0, 0, 10, 10}, 0};
  s.add(windows, Tensor::full({3, 1, 4, 4}, 0.25));
  CHECK(s.rows()[1].values.distance.mean() == Approx((20 + 10 * std::sqrt(2)) / 4));
  CHECK(s.rows()[1].values.entropy.count() == 3);
}
