// Which predictions answer for which objects while a detector is trained.
//   task_aligned  the predictions in an object that are best at its class and its box together, score^a IoU^b (Feng et al. 2021,
//                 arXiv:2108.07755). Their targets are that measure, scaled so that the best has its IoU
//   atss          of each level those nearest to the object whose IoU with it is above the mean plus one standard deviation of all of these
//                 (Zhang et al. 2020, arXiv:1912.02424)
//   max_iou       anchors whose IoU with an object is at least 0.5, and each object's best one; those from 0.4 on are left out (RetinaNet, Lin
//                 et al. 2017, arXiv:1708.02002)
#pragma once

#include <string>

#include "pipeline/tasks/detect/grid.hpp"

namespace fovea {

struct AssignOptions {
  enum class Kind : std::uint8_t { task_aligned, atss, max_iou };
  Kind kind = Kind::task_aligned;
  int top = 13;                           // task_aligned: predictions an object; atss: of each level, 9 there
  double alpha = 1, beta = 6;             // task_aligned
  double positive = 0.5, negative = 0.4;  // max_iou
};

// The objects of one picture, on the network's input.
struct Objects {
  std::vector<BoxF> boxes = {};
  std::vector<std::int64_t> labels = {};
  std::vector<BoxF> ignored = {};  // regions that are neither object nor background, each for one class
  std::vector<std::int64_t> ignored_labels = {};
};

struct Assignment {
  static constexpr std::int32_t kBackground = -1, kLeftOut = -2;
  std::vector<std::int32_t> object;  // of every prediction: the number of its object, kBackground or kLeftOut
  std::vector<float> target;         // of those that have one: how probable its class should be, 0..1 by how well its box fits
};

// What the network says of one picture now: its outputs and the boxes that they mean.
struct Said {
  const DetectMaps& maps;
  std::int64_t picture = 0;
  const std::vector<BoxF>& boxes;
};

Assignment assign(const DetectGrid& grid, const Objects& objects, const Said& said, const AssignOptions& options);

// Whether the middle of a prediction's cell lies in a region of that class that is to be ignored.
bool lies_in_ignored(const DetectGrid::Place& place, const Objects& objects, std::int64_t label);

AssignOptions::Kind assignment_called(const std::string& name, const std::string& where);

}  // namespace fovea
