#include "pipeline/stages/classify.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "datasets/preprocess.hpp"
#include "modules/io/files.hpp"
#include "modules/io/yaml.hpp"
#include "pipeline/sinks/ledger_json.hpp"
#include "pipeline/stages/save.hpp"

namespace fovea {

std::vector<Prediction> top_k(const Tensor& logits, const std::vector<std::string>& classes, int top) {
  const std::vector<double> values = logits.values();
  check(values.size() == classes.size(), "classify: expected ", classes.size(), " logits, got ", values.size());
  const bool finite = std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
  check(finite, "classify: the model gave NaN or infinity");
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
    out.push_back({order[i], classes[order[i]], std::exp(values[order[i]] - highest) / sum});
  return out;
}

Preprocess preprocess_of(const Model& model) {
  const Yaml recipe = Yaml::parse(model.recipe(), model.name());
  return recipe.has("preprocess") ? read_preprocess(recipe.at("preprocess")) : Preprocess();
}

Classify::Classify(Model model, const ClassifyOptions& options)
    : model_(std::move(model)), preprocess_(preprocess_of(model_)), options_(options) {
  model_.classes();
}

void Classify::process(std::span<Frame> batch) {
  for (Frame& frame : batch) {
    const Image image = frame.results.take(kImage);
    const Tensor x = preprocess(image.pixels, preprocess_).tensor;
    const auto result = model_.run(x, {.precision = options_.precision});
    frame.results.put(kPredictions, top_k(result.output, model_.classes(), options_.top));
  }
}

nlohmann::ordered_json to_json(const std::vector<Prediction>& predictions) {
  auto list = nlohmann::ordered_json::array();
  for (const Prediction& p : predictions)
    list.push_back({{"class", p.name}, {"index", p.index}, {"probability", std::round(p.probability * 1e6) / 1e6}});
  return list;
}

std::vector<Prediction> predictions_from(const nlohmann::ordered_json& json) {
  std::vector<Prediction> out;
  for (const auto& p : json)
    out.push_back({p.at("index").get<std::size_t>(), p.at("class").get<std::string>(), p.at("probability").get<double>()});
  return out;
}

void SavePredictions::process(std::span<Frame> batch) {
  for (Frame& frame : batch) {
    nlohmann::ordered_json json;
    put_name(json, "file", frame.source);
    json["top"] = to_json(frame.results.take(kPredictions));
    const std::string text = dump(json) + "\n";
    write_output(frame.output, [&] { write_file_atomically(frame.output, text.data(), text.size()); });
  }
}

}  // namespace fovea
