// Which prediction of which look at a picture a box came from: a detector looks at the whole of it, at windows, and at all of them mirrored.
#pragma once

#include <memory>
#include <vector>

#include "datasets/boxes/placed.hpp"
#include "pipeline/tasks/detect/detector.hpp"

namespace fovea {

// What the network makes of the picture or a window of it, as it is or mirrored.
class Look {
 public:
  Look(const Model& model, const cv::Mat& picture, const cv::Rect& window, bool mirrored);

  const Tensor& input() const { return in_.tensor; }
  const DetectGrid& grid() const { return grid_; }
  float logit(std::int64_t prediction, std::int64_t label) const { return said_.logits(0, prediction)[label]; }
  Box box(std::int64_t prediction) const;  // on the input
  Box on_input(Box on_picture) const;
  // A map of the input on all the picture's pixels; NaN where this look saw nothing.
  cv::Mat placed(const explain::Map& map, cv::Size picture) const;

 private:
  cv::Mat turned(const cv::Mat& pixels) const;

  cv::Rect window_;
  bool mirrored_;
  Preprocessed in_;
  DetectGrid grid_;
  DetectMaps said_;
};

// The looks at one picture, each taken when a box first asks for it.
class Looks {
 public:
  Looks(const Detector& detector, const cv::Mat& picture);

  struct Origin {
    const Look* look = nullptr;
    std::int64_t prediction = -1;
    double rank = 0;  // above 1 where the prediction overlaps the box by half: 1 + its probability
  };
  // Of the predictions of the box's class that overlap it by half, the most probable: that is the one which suppression keeps. A box that
  // was made of several has perhaps none; then the one that is probable and overlaps best. Error where none overlaps at all.
  Origin of(const Detection& detection);

 private:
  void improve(Origin& best, const Detection& detection, std::size_t place);
  const Look& look(std::size_t place, bool mirrored);

  const Detector& detector_;
  cv::Mat picture_;
  std::vector<cv::Rect> places_;              // the whole, then the windows
  std::vector<std::unique_ptr<Look>> taken_;  // of each place as it is and mirrored
};

}  // namespace fovea
