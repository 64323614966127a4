// A network on OpenCV pictures: what its recipe says of preprocessing is done before it, and its attention maps are laid back on every
// picture's own pixels.
//
//   const PictureModel model(Model::load("photo-cbam"), {.keep = "**.spatial"});
//   const auto answers = model.run({first, second});   // cv::Mat of any sizes, one run of the network for all of them
//   answers[0].top[0].name, answers[0].maps[0].heat
#pragma once

#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "modules/model.hpp"
#include "pipeline/predictions.hpp"
#include "pipeline/stages/explain.hpp"

namespace fovea {

class PictureModel {
 public:
  struct Options {
    std::string keep = {};         // glob of attention layers to show, as in "**.spatial"; empty: none
    int top = 5;                   // classes to name, where the network gives class logits
    DType precision = DType::f32;  // f32 or bf16
  };
  struct Answer {
    Tensor output;                // 1 x ... f32: the network's first output for this picture
    NamedTensors outputs;         // all of them
    std::vector<Prediction> top;  // the most probable classes first; empty where the first output is no class logits
    std::vector<PlacedMap> maps;  // in order of computation, one for each layer that `keep` names
    Geometry geometry;            // where the network's input lies on the picture
  };

  // Error: no layer that shows attention at positions matches `keep`; a network without a size of its own pictures (HeadInfo::any_size), whose
  // pictures would not fit one batch.
  explicit PictureModel(Model model) : PictureModel(std::move(model), {}) {}
  PictureModel(Model model, Options options);

  // One answer for each picture, in order. A picture is grey, BGR or BGRA, 8 or 16 bits, or f32 in 0..1; none is changed. Several threads
  // may run one model at a time, each on as many processors as its threads() says. Error for other types and for empty pictures, and
  // where the network gives NaN.
  std::vector<Answer> run(const std::vector<cv::Mat>& pictures) const;

  const Model& model() const { return model_; }

 private:
  Answer answer(const Model::Result& result, std::int64_t index, const Geometry& geometry) const;

  Model model_;
  Options options_;
  std::vector<explain::Layer> layers_;
};

}  // namespace fovea
