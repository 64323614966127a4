#include "pipeline/stages/explain.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "modules/autograd/apply.hpp"
#include "modules/core/threads.hpp"
#include "modules/explain/class_index.hpp"
#include "modules/io/yaml.hpp"
#include "pipeline/stages/explain_facts.hpp"

namespace fovea {

using explain::Layer;
using explain::LayerKind;

namespace {

constexpr int kProbeSide = 64;  // of networks that take any size

std::optional<Preprocess> preprocess_for(const Model& model) {
  const Yaml recipe = Yaml::parse(model.recipe(), model.name());
  if (recipe.has("preprocess")) return read_preprocess(recipe.at("preprocess"));
  return model.classifies() ? std::optional(Preprocess{}) : std::nullopt;
}

Preprocess as_it_is(cv::Size size) {
  Preprocess p;
  p.height = size.height, p.width = size.width;
  p.resize = Preprocess::Resize::stretch;
  p.mean = {0, 0, 0}, p.stddev = {1, 1, 1};
  return p;
}

void check_weights(const Model& model) {
  for (const auto& [name, value] : model.params()->values()) {
    if (!is_floating(value.dtype())) continue;
    for (const double v : value.values())
      check(std::isfinite(v), model.name(), ": the parameter ", name,
            " holds numbers that are not finite: the file is damaged or its training went wrong");
  }
}

}  // namespace

struct Explainer::Prepared {
  Preprocessed input;
  std::vector<Layer> layers;
};

explain::ForwardFunction explained(const Model& model) {
  return {[model](const Var& x) { return model.forward(x); },
          [model](const Tensor& x, const std::string& keep) {
            Model::Result r = model.run(x, {.keep = keep});
            explain::ForwardFunction::Values v{std::move(r.output), {}};
            for (Model::Tap& t : r.taps) v.taps.emplace_back(std::move(t.name), std::move(t.value));
            return v;
          }};
}

cv::Mat place_map(const explain::Map& map, const Geometry& g) {
  cv::Mat heat(g.source, CV_32F, cv::Scalar(std::numeric_limits<float>::quiet_NaN()));
  constexpr double kEdge = 1e-9;
  const cv::Rect2d seen(g.content.x - 0.5 - kEdge, g.content.y - 0.5 - kEdge, g.content.width + 2 * kEdge,
                        g.content.height + 2 * kEdge);
  for (int y = 0; y < heat.rows; ++y)
    for (int x = 0; x < heat.cols; ++x) {
      const cv::Point2d at = g.to_network(cv::Point2d(x, y));
      if (seen.contains(at)) heat.at<float>(y, x) = static_cast<float>(map.at(at.y, at.x));
    }
  return heat;
}

Explainer::Explainer(Model model, ExplainOptions options)
    : model_(std::move(model)), options_(std::move(options)), network_(explained(model_)), preprocess_(preprocess_for(model_)) {
  const explain::Method& method = explain::method(options_.method);
  check_weights(model_);
  check(model_.classifies() || !method.needs_score, "explain: ", model_.name(), " does not classify, and ", method.name,
        " explains a class; use --method attention");
  check(model_.classifies() || options_.target.empty(), "--class: ", model_.name(), " does not classify");
  check(!options_.faithfulness || model_.classifies(), "--faithfulness: ", model_.name(), " does not classify");
  check(options_.layer.empty() || !method.kinds.empty(), "--layer: ", method.name, " looks at the pixels and takes no layer");
  if (!options_.target.empty()) target_ = explain::class_index(options_.target, model_.classes());
  layers_ = layers_at(preprocess_.value_or(as_it_is({kProbeSide, kProbeSide})));
  if (!method.kinds.empty()) chosen(layers_, method);
}

std::vector<Layer> Explainer::layers_at(const Preprocess& p) const {
  const ThreadScope thread_scope;
  return explain::layers_of(network_, {1, 3, p.height, p.width});
}

std::vector<Layer> Explainer::chosen(const std::vector<Layer>& all, const explain::Method& method) const {
  if (method.kinds.empty()) return {};
  std::string glob = options_.layer;
  if (glob.empty()) glob = method.needs_score ? explain::deepest_map(all) : "**";
  return explain::choose_layers(all, glob, method.kinds, method.name);
}

std::vector<Layer> Explainer::attention_layers(const std::vector<Layer>& all) const {
  return explain::choose_layers(all, options_.layer.empty() ? "**" : options_.layer,
                                {LayerKind::attention, LayerKind::received, LayerKind::windows, LayerKind::spatial},
                                "--statistics");
}

bool Explainer::runs_only() const { return preprocess_ && !explain::method(options_.method).needs_gradients; }

void Explainer::check_statistics() const { attention_layers(layers_); }

Explainer::Prepared Explainer::prepare(const Image& image) const {
  if (preprocess_) return {preprocess(image.pixels, *preprocess_), layers_};
  const Preprocess p = as_it_is(image.pixels.size());
  return {preprocess(image.pixels, p), layers_at(p)};
}

std::int64_t Explainer::target_of(const Tensor& logits) const { return target_ ? *target_ : explain::top_class(logits); }

void Explainer::tell_classes(nlohmann::ordered_json& facts, const Tensor& logits, std::int64_t target) const {
  const auto values = logits.values();
  const auto& names = model_.classes();
  const double most = *std::max_element(values.begin(), values.end());
  double total = 0;
  for (const double v : values) total += std::exp(v - most);
  const auto told = [&](std::int64_t i) {
    const double v = values[static_cast<std::size_t>(i)];
    return nlohmann::ordered_json{{"class", names.at(static_cast<std::size_t>(i))},
                                  {"index", i},
                                  {"logit", v},
                                  {"probability", std::exp(v - most) / total}};
  };
  std::vector<std::int64_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](auto a, auto b) { return values[static_cast<std::size_t>(a)] > values[static_cast<std::size_t>(b)]; });
  facts["predicted"] = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < order.size() && i < static_cast<std::size_t>(options_.top); ++i)
    facts["predicted"].push_back(told(order[i]));
  facts["target"] = told(target);
}

nlohmann::ordered_json Explainer::faithfulness(const Tensor& x, const explain::Map& map, const explain::Score& confidence) const {
  const auto score = explain::batch_score(network_, confidence);
  const explain::FaithfulnessOptions o{.batch = options_.details.batch};
  return {{"insertion_auc", explain::insertion(score, x, map, explain::Blank::blurred, o).area},
          {"deletion_auc", explain::deletion(score, x, map, explain::Blank::zero, o).area}};
}

Explained Explainer::run(const Image& image) const {
  const ThreadScope thread_scope;
  const explain::Method& method = explain::method(options_.method);
  const Prepared in = prepare(image);
  explain::Request request{network_, in.input.tensor, {}, {}, chosen(in.layers, method), options_.details};
  Explained out;
  out.facts = {{"model", model_.name()}, {"method", method.name}};
  if (model_.classifies()) {
    const Tensor logits = model_.run(in.input.tensor);
    const std::int64_t target = target_of(logits);
    tell_classes(out.facts, logits, target);
    request.score = explain::class_logit(target);
    request.confidence = explain::class_probability(target);
  }
  out.facts["geometry"] = facts_of(in.input.geometry);
  explain::Explanation e = method.run(request);
  for (const auto& [name, value] : e.facts) out.facts["checks"][name] = value;
  for (explain::Map& map : e.maps) {
    const std::string name = map.name == method.name ? map.name : method.name + "." + map.name;
    out.maps.push_back({name, place_map(map, in.input.geometry), std::move(map)});
    nlohmann::ordered_json facts = facts_of(out.maps.back());
    if (options_.faithfulness) facts["faithfulness"] = faithfulness(in.input.tensor, out.maps.back().map, request.confidence);
    out.facts["maps"].push_back(std::move(facts));
  }
  for (const explain::Bars& bars : e.bars) out.facts["channels"].push_back({{"name", bars.name}, {"values", bars.values}});
  out.bars = std::move(e.bars);
  return out;
}

void Explainer::add_statistics(const Image& image, explain::Statistics& statistics) const {
  const ThreadScope thread_scope;
  const Prepared in = prepare(image);
  statistics.add(network_, in.input.tensor, attention_layers(in.layers));
}

}  // namespace fovea
