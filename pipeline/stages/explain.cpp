#include "pipeline/stages/explain.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "modules/autograd/apply.hpp"
#include "modules/core/threads.hpp"
#include "modules/explain/attention.hpp"
#include "pipeline/stages/explain_facts.hpp"

namespace fovea {

using explain::Layer;
using explain::LayerKind;

namespace {

constexpr int kProbeSide = 64;  // of networks that take any size

void check_weights(const Model& model) {
  for (const auto& [name, value] : model.params()->values()) {
    if (!is_floating(value.dtype())) continue;
    for (const double v : value.values())
      check(std::isfinite(v), model.name(), ": the parameter ", name,
            " holds numbers that are not finite: the file is damaged or its training went wrong");
  }
}

// Rows or columns of a picture that the network saw, one after another, and where on its input.
struct Lines {
  int first = 0;
  std::vector<double> places;
};

template <class ToNetwork>
Lines seen_lines(int count, double from, double length, const ToNetwork& to_network) {
  constexpr double kEdge = 1e-9;
  Lines lines;
  for (int i = 0; i < count; ++i) {
    const double at = to_network(i);
    if (at < from - 0.5 - kEdge || at >= from - 0.5 + length + kEdge) continue;
    if (lines.places.empty()) lines.first = i;
    lines.places.push_back(at);
  }
  return lines;
}

}  // namespace

Shape usual_input(const Model& model) {
  const Preprocess& p = model.preprocess();
  const bool own = p.resize == Preprocess::Resize::none;
  return {1, model.channels(), own ? kProbeSide : p.height, own ? kProbeSide : p.width};
}

std::string usual_layer(const Model& model, const std::vector<Layer>& layers) {
  std::vector<std::string> outputs;
  for (const OutputInfo& o : model.info().outputs) outputs.push_back(o.name);
  return explain::deepest_map(layers, outputs);
}

struct Explainer::Prepared {
  Preprocessed input;
  std::vector<Layer> layers;
};

explain::ForwardFunction explained(const Model& model) {
  return {[model](const Var& x) { return model.outputs(x); },
          [model](const Tensor& x, const std::string& keep) {
            Model::Result r = model.run(x, {.keep = keep});
            explain::ForwardFunction::Values v{std::move(r.outputs), {}};
            for (Model::Tap& t : r.taps) v.taps.emplace_back(std::move(t.name), std::move(t.value));
            return v;
          }};
}

cv::Mat place_map(const explain::Map& map, const Geometry& g) {
  cv::Mat heat(g.source, CV_32F, cv::Scalar(std::numeric_limits<float>::quiet_NaN()));
  const Lines rows =
      seen_lines(g.source.height, g.content.y, g.content.height, [&](double y) { return g.to_network(cv::Point2d(0, y)).y; });
  const Lines columns =
      seen_lines(g.source.width, g.content.x, g.content.width, [&](double x) { return g.to_network(cv::Point2d(x, 0)).x; });
  const std::vector<double> values = map.at(rows.places, columns.places);
  auto value = values.begin();
  for (int y = 0; y < static_cast<int>(rows.places.size()); ++y)
    for (int x = 0; x < static_cast<int>(columns.places.size()); ++x)
      heat.at<float>(rows.first + y, columns.first + x) = static_cast<float>(*value++);
  return heat;
}

std::vector<Layer> map_layers(const Model& model, const std::string& keep) {
  return explain::choose_layers(explain::layers_of(explained(model), usual_input(model)), keep, explain::kMapKinds, "keep");
}

bool has_map_layers(const Model& model) {
  const auto is_map = [](const Layer& layer) { return std::ranges::count(explain::kMapKinds, layer.kind) > 0; };
  return std::ranges::any_of(explain::layers_of(explained(model), usual_input(model)), is_map);
}

std::vector<PlacedMap> placed_maps(const std::vector<Layer>& layers, const std::vector<Model::Tap>& taps, std::int64_t index,
                                   const Geometry& geometry) {
  std::vector<std::pair<std::string, Tensor>> kept;
  for (const Model::Tap& t : taps) kept.emplace_back(t.name, t.value);
  std::vector<PlacedMap> maps;
  for (const Layer& layer : layers) {
    explain::Map map = explain::attention_map(layer, explain::find_kept(kept, layer.name).slice(0, index, index + 1));
    cv::Mat heat = place_map(map, geometry);
    maps.push_back({layer.name, std::move(heat), std::move(map)});
  }
  return maps;
}

Explainer::Explainer(Model model, ExplainOptions options)
    : model_(std::move(model)), options_(std::move(options)), network_(explained(model_)) {
  const explain::Method& method = explain::method(options_.method);
  check_weights(model_);
  const Task* task = TaskRegistry::global().find(model_.info().task);
  if (task) score_ = task->score(model_, options_.target, options_.top);
  const std::string& kind = model_.info().task;
  check(score_ || !method.needs_score, "explain: ", method.name, " explains a score, and the task of ", model_.name(), ", '",
        kind, "', has none; use --method attention");
  check(score_ || options_.target.empty(), "--class: the task of ", model_.name(), ", '", kind, "', has none to explain");
  check(score_ || !options_.faithfulness, "--faithfulness: the task of ", model_.name(), ", '", kind,
        "', has no score to measure by");
  check(options_.layer.empty() || !method.kinds.empty(), "--layer: ", method.name, " looks at the pixels and takes no layer");
  layers_ = layers_at(usual_input(model_));
  if (!method.kinds.empty()) chosen(layers_, method);
}

std::vector<Layer> Explainer::layers_at(const Shape& input) const {
  const ThreadScope thread_scope;
  return explain::layers_of(network_, input);
}

std::vector<Layer> Explainer::chosen(const std::vector<Layer>& all, const explain::Method& method) const {
  if (method.kinds.empty()) return {};
  std::string glob = options_.layer;
  if (glob.empty()) glob = method.needs_score ? usual_layer(model_, all) : "**";
  return explain::choose_layers(all, glob, method.kinds, method.name);
}

std::vector<Layer> Explainer::attention_layers(const std::vector<Layer>& all) const {
  return explain::choose_layers(all, options_.layer.empty() ? "**" : options_.layer,
                                {LayerKind::attention, LayerKind::received, LayerKind::windows, LayerKind::spatial},
                                "--statistics");
}

bool Explainer::runs_only() const {
  return model_.preprocess().resize != Preprocess::Resize::none && !explain::method(options_.method).needs_gradients;
}

void Explainer::check_statistics() const { attention_layers(layers_); }

Explainer::Prepared Explainer::prepare(const Image& image) const {
  Preprocessed input = preprocess(image.pixels, model_.preprocess());
  const bool own = model_.preprocess().resize == Preprocess::Resize::none;
  auto layers = own ? layers_at(input.tensor.shape()) : layers_;
  return {std::move(input), std::move(layers)};
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
  out.facts = {{"model", model_.name()}, {"precision", name_of(DType::f32)}, {"method", method.name}};
  if (score_) {
    ExplainedScore explained = score_(model_.run(in.input.tensor, {}).outputs);
    out.facts.update(explained.facts);
    request.score = std::move(explained.score);
    request.confidence = std::move(explained.confidence);
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
