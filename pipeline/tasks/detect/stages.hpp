// Finding objects, and writing what was found, as stages.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "pipeline/stage.hpp"
#include "pipeline/tasks/detect/box_cam.hpp"
#include "pipeline/tasks/detect/detector.hpp"

namespace fovea {

inline constexpr Key<Detector::Answer> kDetected{"detections"};

class DetectObjects final : public Stage {
 public:
  // `labels`: that are kept; empty: all. `explained`: of so many boxes the place that the network looked at, as a further map each.
  DetectObjects(std::shared_ptr<const Detector> detector, std::set<std::int64_t> labels, int explained)
      : detector_(std::move(detector)), labels_(std::move(labels)), explained_(explained) {}
  std::string_view name() const override { return "model"; }
  Contract contract() const override { return Contract().needs(kImage).gives(kDetected); }
  void process(std::span<Frame> frames) override;

 private:
  std::shared_ptr<const Detector> detector_;
  std::set<std::int64_t> labels_;
  int explained_;
};

struct SaveDetectionsOptions {
  bool overlay = true, crops = false, yolo = false, voc = false;
  double opacity = 0.5;  // of maps
};

// {"file": ..., "precision": ..., "width", "height", "detections": [...]}
nlohmann::ordered_json found_json(const Frame& frame, const std::vector<std::string>& classes, DType precision);

// For the output "photo.jpg.json": "photo.jpg.boxes.jpg" to look at, "photo.jpg.1.dog.png" and so on for the crops, "photo.jpg.txt" (YOLO),
// "photo.jpg.xml" (VOC), "photo.jpg.<map>.jpg" for each map, and the JSON last.
class SaveDetections final : public Stage {
 public:
  SaveDetections(std::vector<std::string> classes, DType precision, const SaveDetectionsOptions& options)
      : classes_(std::move(classes)), precision_(precision), options_(options) {}
  std::string_view name() const override { return "save"; }
  Contract contract() const override { return Contract().needs(kImage).needs(kDetected).drops(kImage).drops(kDetected); }
  void process(std::span<Frame> frames) override;

 private:
  void save_crops(Frame& frame, const Detections& detections) const;
  void save_annotations(Frame& frame, const Detections& detections) const;

  std::vector<std::string> classes_;
  DType precision_;
  SaveDetectionsOptions options_;
};

}  // namespace fovea
