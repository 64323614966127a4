#include "pipeline/tasks/highlight/highlighter.hpp"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <utility>

#include "modules/core/not_finite.hpp"
#include "modules/explain/attention.hpp"
#include "modules/sampling.hpp"
#include "pipeline/stages/explain.hpp"
#include "pipeline/tasks/highlight/class_maps.hpp"
#include "pipeline/tasks/highlight/view.hpp"

namespace fovea {
namespace {

bool is_in(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Tensor mirrored(const Tensor& x, const Mirror& mirror) {
  const auto [left_right, top_bottom] = mirror;
  if (!left_right && !top_bottom) return x;
  Tensor out = Tensor::like(x);
  const std::int64_t rows = x.dim(2), columns = x.dim(3), channels = x.dim(1);
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t column = 0; column < columns; ++column) {
      const std::int64_t from = (top_bottom ? rows - 1 - row : row) * columns + (left_right ? columns - 1 - column : column);
      std::copy_n(x.data<float>() + from * channels, channels, out.data<float>() + (row * columns + column) * channels);
    }
  return out;
}

// The classes' planes of one sample of a channels-last or other tensor.
std::vector<cv::Mat> planes_of(const Tensor& t, bool sigmoid) {
  const Tensor dense = t.to(DType::f32).contiguous(Layout::row_major);
  const auto rows = static_cast<int>(t.dim(2)), columns = static_cast<int>(t.dim(3));
  const float* from = dense.data<float>();
  std::vector<cv::Mat> out;
  for (std::int64_t c = 0; c < t.dim(1); ++c, from += static_cast<std::ptrdiff_t>(rows) * columns) {
    cv::Mat plane(rows, columns, CV_32F);
    for (int i = 0; i < rows * columns; ++i) {
      if (!std::isfinite(from[i])) throw NotFinite("the model gave NaN or infinity");
      plane.ptr<float>(0)[i] = sigmoid ? 1 / (1 + std::exp(-from[i])) : from[i];
    }
    out.push_back(std::move(plane));
  }
  return out;
}

bool gives_distances(const Model& model) {
  const RegionRules& rules = highlight_head(model).rules();
  return rules.objects || rules.scored;
}

// What a network says of one tensor: probabilities, distances, maps, in this order, in its own pixels.
class NetworkRun {
 public:
  // `kept`: all layers that may be asked for, whichever are: another choice would be another plan.
  NetworkRun(const Model& model, DType precision, const std::vector<explain::Layer>& kept)
      : model_(model),
        options_{.keep = kept.empty() ? std::string() : explain::glob_of(kept), .precision = precision},
        distances_(gives_distances(model)) {}

  std::size_t said() const { return model_.classes().size() * (distances_ ? 2 : 1); }  // maps beside those of layers

  // `draws`: dropout draws from it, and there are no maps of layers; null: nothing is dropped.
  std::vector<cv::Mat> operator()(const Tensor& x, const std::vector<explain::Layer>& layers, Random* draws) const {
    const cv::Size size(static_cast<int>(x.dim(3)), static_cast<int>(x.dim(2)));
    Model::Result r;
    if (draws) r.outputs = sampled_outputs(model_, x, *draws, options_.precision);
    else r = model_.run(x, options_);
    std::vector<cv::Mat> out = planes_of(r.outputs.at("logits"), true);
    if (distances_) append(out, planes_of(r.outputs.at("distance"), false));
    for (cv::Mat& plane : out)
      if (plane.size() != size) cv::resize(plane, plane, size, 0, 0, cv::INTER_LINEAR);
    std::vector<std::pair<std::string, Tensor>> kept;
    for (const Model::Tap& t : r.taps) kept.emplace_back(t.name, t.value);
    for (const explain::Layer& layer : layers)
      out.push_back(on_pixels(explain::attention_map(layer, explain::find_kept(kept, layer.name)), size));
    return out;
  }

 private:
  static void append(std::vector<cv::Mat>& to, std::vector<cv::Mat> more) {
    for (cv::Mat& m : more) to.push_back(std::move(m));
  }

  const Model& model_;
  Model::RunOptions options_;
  bool distances_;
};

// Network pixels to those of the picture.
cv::Mat on_picture(const cv::Mat& map, const Geometry& g) {
  if (g.network == g.source) return map;
  cv::Mat at(g.source, CV_32FC2), out;
  for (int y = 0; y < at.rows; ++y)
    for (int x = 0; x < at.cols; ++x) {
      const cv::Point2d n = g.to_network(cv::Point2d(x, y));
      at.at<cv::Vec2f>(y, x) = {static_cast<float>(n.x), static_cast<float>(n.y)};
    }
  cv::remap(map, out, at, cv::noArray(), cv::INTER_LINEAR, cv::BORDER_REPLICATE);
  return out;
}

void mirror_back(const Mirror& mirror, cv::Mat& map) {
  if (mirror.left_right) cv::flip(map, map, 1);
  if (mirror.top_bottom) cv::flip(map, map, 0);
}

// One of several looks at a picture.
struct Look {
  Mirror mirror;
  std::optional<std::uint64_t> sample;  // of what is dropped; none: nothing is
};

// What `--flips` looks at: mirrored as the network's training mirrored (a heart lies on the left), every way where the recipe does not say how it was trained.
std::vector<Mirror> mirrors_of(const Model& model) {
  std::vector<Mirror> out{{}, {true, false}, {false, true}, {true, true}};
  const Yaml recipe = Yaml::parse(model.recipe(), "recipe");
  if (!recipe.has("train")) return out;
  const Yaml train = recipe.at("train");
  double flip = 0, flip_vertical = 0;
  if (train.has("augment")) {
    Args augment = train.at("augment").args();
    flip = augment.get("flip", 0.0, ""), flip_vertical = augment.get("flip_vertical", 0.0, "");
  }
  std::erase_if(out, [&](const Mirror& m) { return (m.left_right && flip <= 0) || (m.top_bottom && flip_vertical <= 0); });
  check(out.size() > 1, model.name(), ": flips: this network learned from pictures that were never mirrored; look without");
  return out;
}

std::vector<Look> looks_of(const std::vector<Mirror>& mirrors, int samples) {
  std::vector<Look> looks;
  for (const Mirror& mirror : mirrors) {
    if (samples == 0) looks.push_back({mirror, {}});
    for (int i = 0; i < samples; ++i) looks.push_back({mirror, looks.size()});
  }
  return looks;
}

// What the network says of all windows, blended.
std::vector<cv::Mat> look(const NetworkRun& run, const WindowedInput& picture, const Look& how, std::int64_t seed,
                          const std::vector<explain::Layer>& layers) {
  return picture.blended(run.said() + layers.size(), [&](const Tensor& part, std::size_t i) {
    // A stream of its own for each window of each look: what is dropped depends on nothing else.
    Random draws(static_cast<std::uint64_t>(seed), how.sample.value_or(0) * picture.windows.size() + i);
    std::vector<cv::Mat> maps = run(mirrored(part, how.mirror), layers, how.sample ? &draws : nullptr);
    for (cv::Mat& map : maps) mirror_back(how.mirror, map);
    return maps;
  });
}

// Over several looks at one picture. Welford 1962: what all of them agree on has no spread at all.
class Mean {
 public:
  void add(const std::vector<cv::Mat>& maps) {
    ++looks_;
    for (std::size_t i = 0; i < maps.size(); ++i) {
      if (looks_ == 1) {
        means_.push_back(maps[i].clone()), squares_.push_back(cv::Mat::zeros(maps[i].size(), CV_32F));
        continue;
      }
      const cv::Mat off = maps[i] - means_[i];
      means_[i] += off / looks_;
      squares_[i] += off.mul(maps[i] - means_[i]);
    }
  }
  const cv::Mat& mean(std::size_t i) const { return means_[i]; }
  cv::Mat spread(std::size_t i) const {
    cv::Mat out;
    cv::sqrt(cv::max(squares_[i] / looks_, 0.0), out);
    return out;
  }

 private:
  std::vector<cv::Mat> means_, squares_;
  int looks_ = 0;
};

// All looks at a picture, and the maps of layers of the picture as it is, nothing dropped.
struct Seen {
  Mean all;
  std::vector<cv::Mat> maps;
};

Seen look_often(const NetworkRun& run, const WindowedInput& picture, const HighlightOptions& o, const std::vector<Look>& looks,
                const std::vector<explain::Layer>& layers) {
  const auto maps_of = [&](const std::vector<cv::Mat>& said) {
    return std::vector<cv::Mat>(said.begin() + static_cast<std::ptrdiff_t>(run.said()), said.end());
  };
  Seen seen;
  if (o.samples > 0 && !layers.empty()) seen.maps = maps_of(look(run, picture, {}, o.seed, layers));
  bool first = o.samples == 0;  // gives the maps, too
  for (const Look& how : looks) {
    std::vector<cv::Mat> said = look(run, picture, how, o.seed, first ? layers : std::vector<explain::Layer>{});
    if (std::exchange(first, false)) seen.maps = maps_of(said);
    said.resize(run.said());
    seen.all.add(said);
  }
  return seen;
}

}  // namespace

void add_sampling_options(OptionList& options, HighlightOptions& set) {
  options.integer("--samples", set.samples, 0, 10000,
                  "Look so often at each picture (mirrored ones, too) with the model's dropout, other values dropped each time: "
                  "their mean counts, and their spread is the uncertainty; 0: once, nothing dropped");
  options.integer("--seed", set.seed, std::int64_t{0}, std::int64_t{1} << 30,
                  "Of what --samples drops: the same again gives the same bytes");
}

const HighlightHead& highlight_head(const Model& model) {
  const auto* head = dynamic_cast<const HighlightHead*>(&model.head());
  check(head != nullptr, model.name(), " highlights nothing: it is for the task '", model.info().task, "'");
  check(model.preprocess().resize != Preprocess::Resize::crop, model.name(),
        ": preprocess: resize: expected none, stretch or letterbox; crop leaves parts of a picture unseen");
  return *head;
}

Highlighter::Highlighter(Model model, HighlightOptions options)
    : model_(std::move(model)), options_(std::move(options)), stride_(stride_of(model_)) {
  highlight_head(model_);
  check(options_.overlap >= 0 && options_.overlap <= 0.9, "highlight: expected an overlap from 0 to 0.9, got ", options_.overlap);
  check(options_.window >= 0, "highlight: expected a window of 0 or more pixels, got ", options_.window);
  check(options_.samples >= 0, "highlight: expected 0 or more samples, got ", options_.samples);
  check(options_.samples == 0 || has_dropout(model_, usual_window()), model_.name(),
        ": samples are looks with dropout, and this network has none; train one whose head has `dropout: 0.2`");
  check(!options_.spread || options_.looks_again(),
        "a map of uncertainty is how far several looks lie apart: ask for --flips, or for --samples of a model with dropout");
  if (options_.flips) mirrors_ = mirrors_of(model_);
  if (options_.grad_cam) usual_layer(model_, explain::layers_of(explained(model_), usual_window()));
}

Shape Highlighter::usual_window() const {
  const Shape usual = usual_input(model_);
  return {1, model_.channels(), up_to_multiple(static_cast<int>(usual[2]), stride_),
          up_to_multiple(static_cast<int>(usual[3]), stride_)};
}

std::vector<explain::Layer> Highlighter::layers(cv::Size window) const {
  if (options_.keep.empty()) return {};
  const std::lock_guard lock(mutex_);
  auto& known = layers_[{window.height, window.width}];
  if (known.empty())
    known = explain::choose_layers(explain::layers_of(explained(model_), {1, model_.channels(), window.height, window.width}),
                                   options_.keep, explain::kMapKinds, "highlight");
  return known;
}

std::vector<std::string> Highlighter::maps() const {
  const Shape usual = usual_window();
  std::vector<std::string> names;
  for (const explain::Layer& layer : layers({static_cast<int>(usual[3]), static_cast<int>(usual[2])}))
    names.push_back(layer.name);
  for (const std::string& c : model_.classes())
    if (options_.grad_cam) names.push_back(c + kGradCam);
  for (const std::string& c : model_.classes())
    if (options_.spread) names.push_back(c + kSpread);
  return names;
}

std::vector<HighlightMap> Highlighter::grad_cams(const WindowedInput& picture, const std::vector<std::string>& names) const {
  std::vector<std::size_t> classes;
  for (std::size_t c = 0; options_.grad_cam && c < model_.classes().size(); ++c)
    if (is_in(names, model_.classes()[c] + kGradCam)) classes.push_back(c);
  if (classes.empty()) return {};
  RegionRules rules = highlight_head(model_).rules();
  if (!options_.thresholds.empty()) rules.thresholds = options_.thresholds;
  const std::vector<cv::Mat> maps = class_maps(model_, rules, picture, classes);
  std::vector<HighlightMap> out;
  for (std::size_t i = 0; i < maps.size(); ++i)
    if (!maps[i].empty()) out.push_back({model_.classes()[classes[i]] + kGradCam, maps[i], HighlightMap::Kind::grad_cam});
  return out;
}

Highlights Highlighter::operator()(const cv::Mat& values, const std::vector<std::string>& names) const {
  const NetworkView view(values, model_.preprocess(), stride_, highlight_head(model_).rules().margin, options_.window,
                         options_.overlap);
  const std::vector<std::string>& classes = model_.classes();
  std::vector<explain::Layer> layers = this->layers(view.input.windows[0].size());
  const NetworkRun run(model_, options_.precision, layers);
  std::erase_if(layers, [&](const explain::Layer& l) { return !is_in(names, l.name); });
  const Seen seen = look_often(run, view.input, options_, looks_of(mirrors_, options_.samples), layers);
  // What was put around the picture goes again.
  const auto placed = [&](const cv::Mat& map) { return on_picture(map(view.inside()), view.geometry); };
  Highlights out;
  for (std::size_t i = 0; i < layers.size(); ++i) out.maps.push_back({layers[i].name, placed(seen.maps[i])});
  for (HighlightMap& map : grad_cams(view.input, names)) out.maps.push_back({map.name, placed(map.values), map.kind});
  for (std::size_t c = 0; c < classes.size(); ++c) {
    out.probabilities.push_back(placed(seen.all.mean(c)));
    if (run.said() > classes.size()) out.distances.push_back(placed(seen.all.mean(classes.size() + c)));
    if (!options_.looks_again()) continue;
    out.uncertainty.push_back(placed(seen.all.spread(c)));
    if (options_.spread && is_in(names, classes[c] + kSpread))
      out.maps.push_back({classes[c] + kSpread, out.uncertainty.back(), HighlightMap::Kind::spread});
  }
  return out;
}

}  // namespace fovea
