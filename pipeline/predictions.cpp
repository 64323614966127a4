#include "pipeline/predictions.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace fovea {

std::vector<Prediction> top_k(const Tensor& logits, const std::vector<std::string>& classes, int top) {
  const std::vector<double> values = logits.values();
  check(values.size() == classes.size(), "expected ", classes.size(), " logits, got ", values.size());
  const bool finite = std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
  check(finite, "the model gave NaN or infinity");
  const double highest = *std::max_element(values.begin(), values.end());
  double sum = 0;
  for (const double v : values) sum += std::exp(v - highest);
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto count = std::min<std::size_t>(order.size(), static_cast<std::size_t>(std::max(1, top)));
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    [&](std::size_t a, std::size_t b) { return values[a] != values[b] ? values[a] > values[b] : a < b; });
  std::vector<Prediction> out;
  for (std::size_t i = 0; i < count; ++i)
    out.push_back({order[i], classes[order[i]], std::exp(values[order[i]] - highest) / sum, values[order[i]]});
  return out;
}

nlohmann::ordered_json to_json(const std::vector<Prediction>& predictions) {
  auto list = nlohmann::ordered_json::array();
  for (const Prediction& p : predictions)
    list.push_back({{"class", p.name}, {"index", p.index}, {"probability", std::round(p.probability * 1e6) / 1e6}});
  return list;
}

std::vector<Prediction> predictions_from(const JsonValue& json) {
  std::vector<Prediction> out;
  for (const JsonValue& p : json.items())
    out.push_back({p.at("index").whole<std::size_t>(), p.at("class").text(), p.at("probability").number(), 0});
  return out;
}

}  // namespace fovea
