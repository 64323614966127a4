#include "datasets/metrics/classification.hpp"

#include <algorithm>
#include <cmath>

#include "datasets/metrics/confusion_picture.hpp"
#include "modules/core/not_finite.hpp"

namespace fovea {
namespace {

double ratio(double a, double b) { return b > 0 ? a / b : 0; }

}  // namespace

ClassificationMetrics::ClassificationMetrics(std::vector<std::string> classes, int bins)
    : classes_(std::move(classes)),
      confusion_(classes_.size(), std::vector<std::int64_t>(classes_.size(), 0)),
      bins_(static_cast<std::size_t>(std::max(bins, 0))) {
  check(!classes_.empty() && bins > 0, "metrics: expected classes and at least one bin");
}

void ClassificationMetrics::add(const Tensor& logits, const Tensor& labels) {
  const auto n = static_cast<std::int64_t>(classes_.size());
  check(logits.rank() == 2 && logits.dim(1) == n && labels.shape() == Shape{logits.dim(0)}, "metrics: expected logits N x ", n,
        " and N labels, got ", logits.shape(), " and ", labels.shape());
  const auto values = logits.values(), truth = labels.values();
  for (const double v : values)
    if (!std::isfinite(v)) throw NotFinite("metrics: a logit is not finite");
  for (const double t : truth) check(t >= 0 && t < static_cast<double>(n), "metrics: label ", t, " of ", n, " classes");
  for (std::size_t r = 0; r < truth.size(); ++r) {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(r * classes_.size());
    add_row({begin, begin + static_cast<std::ptrdiff_t>(classes_.size())}, static_cast<std::size_t>(truth[r]));
  }
}

void ClassificationMetrics::add_row(const std::vector<double>& z, std::size_t label) {
  const auto best = static_cast<std::size_t>(std::max_element(z.begin(), z.end()) - z.begin());
  double sum = 0;
  for (const double v : z) sum += std::exp(v - z[best]);
  const double confidence = 1 / sum;
  // Of equal logits the first class counts as better, as max_element has it.
  std::int64_t better = 0;
  for (std::size_t c = 0; c < z.size(); ++c) better += z[c] > z[label] || (z[c] == z[label] && c < label);
  ++count_;
  ++confusion_[label][best];
  among_five_ += better < 5;
  loss_ += std::log(sum) + z[best] - z[label];
  // Intervals are open below and closed above, as in the paper.
  const auto n = static_cast<double>(bins_.size());
  Bin& bin = bins_[static_cast<std::size_t>(std::clamp(std::ceil(confidence * n) - 1, 0.0, n - 1))];
  ++bin.count;
  bin.right += best == label;
  bin.confidence += confidence;
}

double ClassificationMetrics::top1() const {
  std::int64_t right = 0;
  for (std::size_t c = 0; c < classes_.size(); ++c) right += confusion_[c][c];
  return ratio(static_cast<double>(right), static_cast<double>(count_));
}

double ClassificationMetrics::top5() const { return ratio(static_cast<double>(among_five_), static_cast<double>(count_)); }

double ClassificationMetrics::mean_loss() const { return ratio(loss_, static_cast<double>(count_)); }

std::vector<ClassificationMetrics::PerClass> ClassificationMetrics::per_class() const {
  std::vector<PerClass> all;
  for (std::size_t c = 0; c < classes_.size(); ++c) {
    std::int64_t support = 0, predicted = 0;
    for (std::size_t k = 0; k < classes_.size(); ++k) support += confusion_[c][k], predicted += confusion_[k][c];
    const auto right = static_cast<double>(confusion_[c][c]);
    all.push_back({classes_[c], support, ratio(right, static_cast<double>(predicted)), ratio(right, static_cast<double>(support)),
                   ratio(2 * right, static_cast<double>(predicted + support))});
  }
  return all;
}

double ClassificationMetrics::macro_f1() const {
  double sum = 0;
  int counted = 0;
  const auto classes = per_class();
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const bool predicted = std::any_of(confusion_.begin(), confusion_.end(), [&](const auto& row) { return row[c] > 0; });
    if (classes[c].support == 0 && !predicted) continue;
    sum += classes[c].f1;
    ++counted;
  }
  return ratio(sum, counted);
}

double ClassificationMetrics::balanced_accuracy() const {
  double sum = 0;
  int counted = 0;
  for (const PerClass& c : per_class())
    if (c.support > 0) sum += c.recall, ++counted;
  return ratio(sum, counted);
}

double ClassificationMetrics::calibration_error() const {
  double sum = 0;
  for (const Bin& b : bins_) sum += std::abs(static_cast<double>(b.right) - b.confidence);
  return ratio(sum, static_cast<double>(count_));
}

nlohmann::ordered_json ClassificationMetrics::json() const {
  nlohmann::ordered_json out{{"images", count_},
                             {"top1", top1()},
                             {"top5", top5()},
                             {"macro_f1", macro_f1()},
                             {"balanced_accuracy", balanced_accuracy()},
                             {"calibration_error", calibration_error()},
                             {"loss", mean_loss()}};
  for (const PerClass& c : per_class())
    out["classes"].push_back(
        {{"name", c.name}, {"images", c.support}, {"precision", c.precision}, {"recall", c.recall}, {"f1", c.f1}});
  out["confusion"] = confusion_;
  return out;
}

std::string confusion_picture(const ClassificationMetrics& m, const std::string& title) {
  return confusion_picture(m.classes(), m.confusion(), title);
}

}  // namespace fovea
