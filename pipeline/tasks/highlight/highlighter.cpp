#include "pipeline/tasks/highlight/highlighter.hpp"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "modules/core/not_finite.hpp"
#include "modules/explain/attention.hpp"
#include "pipeline/stages/explain.hpp"
#include "pipeline/tasks/highlight/view.hpp"
#include "pipeline/tasks/highlight/windows.hpp"

namespace fovea {
namespace {

Tensor mirrored(const Tensor& x, bool left_right, bool top_bottom) {
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

cv::Mat on_window(const explain::Map& map, cv::Size size) {
  const std::vector<double> values = map.on_pixels(size.height, size.width);
  cv::Mat out(size, CV_32F);
  std::copy(values.begin(), values.end(), out.begin<float>());
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

  std::vector<cv::Mat> operator()(const Tensor& x, const std::vector<explain::Layer>& layers) const {
    const cv::Size size(static_cast<int>(x.dim(3)), static_cast<int>(x.dim(2)));
    const Model::Result r = model_.run(x, options_);
    std::vector<cv::Mat> out = planes_of(r.outputs.at("logits"), true);
    if (distances_) append(out, planes_of(r.outputs.at("distance"), false));
    for (cv::Mat& plane : out)
      if (plane.size() != size) cv::resize(plane, plane, size, 0, 0, cv::INTER_LINEAR);
    std::vector<std::pair<std::string, Tensor>> kept;
    for (const Model::Tap& t : r.taps) kept.emplace_back(t.name, t.value);
    for (const explain::Layer& layer : layers)
      out.push_back(on_window(explain::attention_map(layer, explain::find_kept(kept, layer.name)), size));
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

struct Mirror {
  bool left_right = false, top_bottom = false;

  Tensor operator()(const Tensor& x) const { return left_right || top_bottom ? mirrored(x, left_right, top_bottom) : x; }
  void back(cv::Mat& map) const {
    if (left_right) cv::flip(map, map, 1);
    if (top_bottom) cv::flip(map, map, 0);
  }
};

std::vector<Mirror> mirrors_of(bool flips) {
  if (!flips) return {{}};
  return {{}, {true, false}, {false, true}, {true, true}};
}

// What the network says of all windows, blended.
std::vector<cv::Mat> look(const NetworkRun& run, const NetworkView& view, double overlap, const Mirror& mirror,
                          const std::vector<explain::Layer>& layers) {
  BlendedMaps blended(view.size(), run.said() + layers.size());
  for (const cv::Rect& window : view.windows) {
    std::vector<cv::Mat> maps = run(mirror(view.part(window)), layers);
    for (cv::Mat& map : maps) mirror.back(map);
    blended.add(maps, window, blending_weights(window, view.size(), overlap));
  }
  return blended.mean();
}

// Over several looks at one picture.
struct Mean {
  std::vector<cv::Mat> sums, squares;
  int looks = 0;

  void add(const std::vector<cv::Mat>& maps) {
    for (std::size_t i = 0; i < maps.size(); ++i) {
      if (looks == 0) sums.push_back(maps[i].clone()), squares.push_back(maps[i].mul(maps[i]));
      else sums[i] += maps[i], squares[i] += maps[i].mul(maps[i]);
    }
    ++looks;
  }
  cv::Mat mean(std::size_t i) const { return sums[i] / looks; }
  cv::Mat spread(std::size_t i) const {
    const cv::Mat m = mean(i);
    cv::Mat variance = cv::max(squares[i] / looks - m.mul(m), 0.0), out;
    cv::sqrt(variance, out);
    return out;
  }
};

}  // namespace

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
  const int side = up_to_multiple(64, stride_);
  std::vector<std::string> names;
  for (const explain::Layer& layer : layers({side, side})) names.push_back(layer.name);
  return names;
}

Highlights Highlighter::operator()(const cv::Mat& values, const std::vector<std::string>& names) const {
  const NetworkView view(values, model_.preprocess(), stride_, highlight_head(model_).rules().margin, options_.window,
                         options_.overlap);
  std::vector<explain::Layer> layers = this->layers(view.windows[0].size());
  const NetworkRun run(model_, options_.precision, layers);
  std::erase_if(layers, [&](const explain::Layer& l) { return std::find(names.begin(), names.end(), l.name) == names.end(); });
  Mean mean;
  std::vector<cv::Mat> maps;
  for (const Mirror& mirror : mirrors_of(options_.flips)) {
    const bool first = mean.looks == 0;  // the maps are those of the picture as it is
    std::vector<cv::Mat> all = look(run, view, options_.overlap, mirror, first ? layers : std::vector<explain::Layer>{});
    if (first) maps.assign(all.begin() + static_cast<std::ptrdiff_t>(run.said()), all.end());
    all.resize(run.said());
    mean.add(all);
  }
  // What was put around the picture goes again.
  const auto placed = [&](const cv::Mat& map) { return on_picture(map(view.inside()), view.geometry); };
  Highlights out;
  for (std::size_t c = 0; c < model_.classes().size(); ++c) {
    out.probabilities.push_back(placed(mean.mean(c)));
    if (run.said() > model_.classes().size()) out.distances.push_back(placed(mean.mean(model_.classes().size() + c)));
    if (options_.flips) out.uncertainty.push_back(placed(mean.spread(c)));
  }
  for (std::size_t i = 0; i < maps.size(); ++i) out.maps.push_back({layers[i].name, placed(maps[i])});
  return out;
}

}  // namespace fovea
