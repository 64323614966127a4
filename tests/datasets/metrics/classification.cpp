#include "datasets/metrics/classification.hpp"

#include <cmath>

#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using test::fails_with;

namespace {

Tensor logits(const std::vector<std::vector<double>>& rows) {
  std::vector<double> all;
  for (const auto& r : rows) all.insert(all.end(), r.begin(), r.end());
  return Tensor::from(all, {static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(rows.front().size())});
}

Tensor labels(const std::vector<std::int64_t>& values) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
}

}  // namespace

TEST_CASE("classification metrics: a confusion matrix worked out by hand") {
  ClassificationMetrics m({"cat", "dog", "eel"});
  // truth: cat cat cat dog dog eel; said: cat cat dog dog cat eel
  m.add(logits({{3, 1, 0}, {2, 0, 1}, {0, 1, 0}}), labels({0, 0, 0}));
  m.add(logits({{0, 5, 1}, {2, 1, 0}, {0, 0, 1}}), labels({1, 1, 2}));
  CHECK(m.count() == 6);
  CHECK(m.confusion() == std::vector<std::vector<std::int64_t>>{{2, 1, 0}, {1, 1, 0}, {0, 0, 1}});
  CHECK(m.top1() == Approx(4.0 / 6));
  CHECK(m.top5() == 1);
  const auto c = m.per_class();
  CHECK((c[0].support == 3 && c[0].precision == Approx(2.0 / 3) && c[0].recall == Approx(2.0 / 3) && c[0].f1 == Approx(2.0 / 3)));
  CHECK((c[1].precision == Approx(0.5) && c[1].recall == Approx(0.5) && c[1].f1 == Approx(0.5)));
  CHECK((c[2].support == 1 && c[2].f1 == 1));
  CHECK(m.macro_f1() == Approx((2.0 / 3 + 0.5 + 1) / 3));
  CHECK(m.balanced_accuracy() == Approx((2.0 / 3 + 0.5 + 1) / 3));
  const auto j = m.json();
  CHECK((j["images"] == 6 && j["classes"][1]["name"] == "dog" && j["confusion"][0][1] == 1));
}

TEST_CASE("classification metrics: top 5, ties, classes that do not occur") {
  ClassificationMetrics m({"a", "b", "c", "d", "e", "f", "g"});
  m.add(logits({{7, 6, 5, 4, 3, 2, 1}, {7, 6, 5, 4, 3, 2, 1}, {7, 6, 5, 4, 3, 2, 1}}), labels({0, 4, 5}));
  CHECK(m.top1() == Approx(1.0 / 3));
  CHECK(m.top5() == Approx(2.0 / 3));
  // a: precision 1/3, recall 1, f1 1/2; e and f: 0; the others neither occur nor were said.
  CHECK(m.macro_f1() == Approx(0.5 / 3));
  ClassificationMetrics tie({"a", "b", "c", "d", "e", "f"});
  tie.add(logits({{1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1}}),
          labels({5, 0}));  // of equals the first is said: a constant model gains nothing
  CHECK(tie.top1() == 0.5);
  CHECK(tie.top5() == 0.5);
}

TEST_CASE("classification metrics: calibration by hand") {
  // With logits (log p, log(1 - p)) the confidence is p. 0.8 twice, one right; 0.6 twice, both right.
  const auto sure = [](double p) { return std::vector<double>{std::log(p), std::log(1 - p)}; };
  ClassificationMetrics m({"a", "b"}, 10);
  m.add(logits({sure(0.79), sure(0.79), sure(0.55), sure(0.55)}), labels({0, 1, 0, 0}));
  CHECK(m.calibration_error() == Approx(0.5 * std::abs(0.5 - 0.79) + 0.5 * std::abs(1 - 0.55)));
  CHECK(m.mean_loss() == Approx(-(std::log(0.79) + std::log(0.21) + 2 * std::log(0.55)) / 4));
  ClassificationMetrics perfect({"a", "b"});
  perfect.add(logits({{1000, -1000}, {-1000, 1000}}), labels({0, 1}));
  CHECK(perfect.calibration_error() == 0);
  CHECK(perfect.mean_loss() == 0);
}

TEST_CASE("classification metrics: nothing counted, and what is refused") {
  ClassificationMetrics m({"a", "b"});
  for (const double v : {m.top1(), m.top5(), m.macro_f1(), m.calibration_error(), m.mean_loss()}) CHECK(v == 0);
  CHECK(fails_with([&] { m.add(logits({{1, 2, 3}}), labels({0})); }, "N x 2"));
  CHECK(fails_with([&] { m.add(logits({{1, 2}}), labels({0, 1})); }, "N labels"));
  CHECK(fails_with([&] { m.add(logits({{1, 2}}), labels({2})); }, "label 2 of 2"));
  CHECK(fails_with([&] { m.add(logits({{1, 2}}), labels({-1})); }, "label -1"));
  CHECK(fails_with([&] { m.add(logits({{1, NAN}}), labels({0})); }, "not finite"));
  CHECK(m.count() == 0);
  CHECK(fails_with([] { ClassificationMetrics({}, 5); }, "expected classes"));
}

TEST_CASE("the confusion matrix as a picture: every cell, names escaped, any number of classes") {
  ClassificationMetrics m({"a<b>&\"c\"", std::string(40, 'x')});
  m.add(logits({{1, 0}, {1, 0}, {1, 0}}), labels({0, 0, 1}));
  const std::string svg = confusion_picture(m, "run & eval");
  CHECK(svg.find("a&lt;b&gt;&amp;&quot;c&quot;") != std::string::npos);
  CHECK(svg.find("run &amp; eval") != std::string::npos);
  CHECK(svg.find(">2</text>") != std::string::npos);
  CHECK(svg.find(std::string(23, 'x')) == std::string::npos);
  std::vector<std::string> many(400);
  const std::string large = confusion_picture(ClassificationMetrics(many), "many");
  std::size_t cells = 0;
  for (std::size_t at = large.find("<rect"); at != std::string::npos; at = large.find("<rect", at + 1)) ++cells;
  CHECK(cells == 400 * 400 + 2);
}
