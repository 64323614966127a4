// Explains what a model saw in an image: maps of any method of modules/explain, laid on the image's own pixels.
#pragma once

#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>
#include <optional>
#include <string>
#include <vector>

#include "datasets/image.hpp"
#include "datasets/preprocess.hpp"
#include "modules/explain/faithfulness.hpp"
#include "modules/explain/methods.hpp"
#include "modules/explain/statistics.hpp"
#include "modules/model.hpp"
#include "pipeline/task.hpp"

namespace fovea {

struct ExplainOptions {
  std::string method = "grad_cam";
  std::string layer;   // glob of layers; empty: the deepest map, or every layer that shows attention
  std::string target;  // what to explain, as the model's task names it: a class by name or index; empty: what is most probable
  int top = 5;         // answers that are reported
  bool faithfulness = false;  // insertion and deletion
  explain::Options details;
};

// A map on the image: value by value what the network computed, bilinear between the centres of cells.
struct PlacedMap {
  std::string name;
  cv::Mat heat;      // CV_32F of the image's size, as computed (signed where the method is); NaN where the network saw nothing
  explain::Map map;  // on the network's input
};

struct Explained {
  nlohmann::ordered_json facts;  // what the task says of the answer and the target, method, geometry, statistics of every map
  std::vector<PlacedMap> maps;
  std::vector<explain::Bars> bars;
};

// A model as what is explained: gradients op by op on the tape, everything else through compiled plans.
explain::ForwardFunction explained(const Model& model);

// The size that the model's pictures have, 1 x C x H x W; a small one where they keep their own.
Shape usual_input(const Model& model);

// Where class activation maps of a model are taken unless one says otherwise: its deepest map. Error where it has none.
std::string usual_layer(const Model& model, const std::vector<explain::Layer>& layers);

// The values of a map at the centres of the source's pixels; NaN outside what the network saw.
cv::Mat place_map(const explain::Map& map, const Geometry& geometry);

// The layers of a model that `keep` names and that are maps of positions. Error when there are none.
std::vector<explain::Layer> map_layers(const Model& model, const std::string& keep);
bool has_map_layers(const Model& model);
// Their maps for sample `index` of what the model gave, on the picture that the geometry is of.
std::vector<PlacedMap> placed_maps(const std::vector<explain::Layer>& layers, const std::vector<Model::Tap>& taps,
                                   std::int64_t index, const Geometry& geometry);

class Explainer {
 public:
  // Checks everything that can be wrong before an image is read: the method, the layer, the target, damaged weights. Error.
  Explainer(Model model, ExplainOptions options);

  Explained run(const Image& image) const;  // several threads may
  // The layers whose attention can be counted. Error when there are none.
  void add_statistics(const Image& image, explain::Statistics& statistics) const;
  void check_statistics() const;
  // Whether images are only run, at one size: then the model may give its weights back.
  bool runs_only() const;

  const Model& model() const { return model_; }
  const ExplainOptions& options() const { return options_; }

 private:
  struct Prepared;  // one image on its way in
  Prepared prepare(const Image& image) const;
  std::vector<explain::Layer> chosen(const std::vector<explain::Layer>& all, const explain::Method& method) const;
  std::vector<explain::Layer> layers_at(const Shape& input) const;
  std::vector<explain::Layer> attention_layers(const std::vector<explain::Layer>& all) const;
  nlohmann::ordered_json faithfulness(const Tensor& x, const explain::Map& map, const explain::Score& confidence) const;

  Model model_;
  ExplainOptions options_;
  explain::ForwardFunction network_;
  ScoreOf score_;                       // null where only attention can be shown
  std::vector<explain::Layer> layers_;  // at the size of the model's preprocessing, or a small one where images keep theirs
};

}  // namespace fovea
