#include "pipeline/tasks/detect/stages.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "datasets/boxes/detections.hpp"
#include "datasets/boxes/voc.hpp"
#include "datasets/boxes/yolo.hpp"
#include "modules/io/files.hpp"
#include "pipeline/output_names.hpp"
#include "pipeline/sinks/box_overlay.hpp"
#include "pipeline/sinks/heatmap.hpp"
#include "pipeline/sinks/ledger_json.hpp"
#include "pipeline/stages/save.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

constexpr int kJpegQuality = 90;

template <class Bytes>
void write(Frame& frame, const fs::path& file, const Bytes& bytes) {
  write_output(file, [&] { write_file_atomically(file, bytes.data(), bytes.size()); });
  frame.written.push_back(file);
}

void write_picture(Frame& frame, const fs::path& file, const Image& image) {
  write(frame, file, encode_image(image, file.extension() == ".png" ? "png" : "jpg", {.jpeg_quality = kJpegQuality}));
}

Image picture(const cv::Mat& pixels) {
  Image image;
  image.pixels = pixels;
  return image;
}

std::vector<DrawnBox> drawn_boxes(const Detections& detections, const std::vector<std::string>& classes) {
  std::vector<DrawnBox> boxes;
  for (const Detection& d : detections) boxes.push_back(drawn(d, classes));
  return boxes;
}

AnnotatedImage annotated(const Frame& frame, const Detections& detections) {
  AnnotatedImage image{.file = frame.input, .id = 1, .size = frame.results.get(kImage).pixels.size(), .annotations = {}};
  for (const Detection& d : detections) image.annotations.push_back({.box = d.box, .label = d.label});
  return image;
}

}  // namespace

void DetectObjects::process(std::span<Frame> frames) {
  for (Frame& frame : frames) {
    const cv::Mat& pixels = frame.results.get(kImage).pixels;
    Detector::Answer answer = detector_->run(pixels);
    if (!labels_.empty()) std::erase_if(answer.detections, [&](const Detection& d) { return !labels_.contains(d.label); });
    const auto count = std::min(answer.detections.size(), static_cast<std::size_t>(explained_));
    std::vector<PlacedMap> maps = box_cams(*detector_, pixels, std::span(answer.detections).first(count));
    for (std::size_t i = 0; i < count; ++i) {
      maps[i].name = fmt::format("{}.{}", i + 1, detector_->classes().at(static_cast<std::size_t>(answer.detections[i].label)));
      answer.maps.push_back(std::move(maps[i]));
    }
    frame.results.put(kDetected, std::move(answer));
  }
}

nlohmann::ordered_json found_json(const Frame& frame, const std::vector<std::string>& classes, DType precision) {
  const cv::Mat& pixels = frame.results.get(kImage).pixels;
  nlohmann::ordered_json json;
  put_name(json, "file", frame.source);
  json["precision"] = name_of(precision);
  json["width"] = pixels.cols, json["height"] = pixels.rows;
  json["detections"] = to_json(frame.results.get(kDetected).detections, classes);
  return json;
}

void SaveDetections::save_crops(Frame& frame, const Detections& detections) const {
  const Image& image = frame.results.get(kImage);
  const cv::Rect whole({}, image.pixels.size());
  for (std::size_t i = 0; i < detections.size(); ++i) {
    const cv::Rect part = to_pixels(detections[i].box) & whole;
    if (part.empty()) continue;
    Image crop = image;
    crop.pixels = image.pixels(part);
    const std::string& name = classes_.at(static_cast<std::size_t>(detections[i].label));
    write(frame, beside(frame.output, fmt::format("{}.{}.png", i + 1, name)), encode_image(crop, "png"));
  }
}

void SaveDetections::save_annotations(Frame& frame, const Detections& detections) const {
  const AnnotatedImage image = annotated(frame, detections);
  if (options_.voc) write(frame, beside(frame.output, "xml"), voc_text(image, frame.output.parent_path(), classes_));
  if (!options_.yolo) return;
  std::vector<double> scores;
  for (const Detection& d : detections) scores.push_back(d.score);
  write(frame, beside(frame.output, "txt"), yolo_text(image, scores));
}

void SaveDetections::process(std::span<Frame> frames) {
  for (Frame& frame : frames) {
    const Detector::Answer& answer = frame.results.get(kDetected);
    const Image& image = frame.results.get(kImage);
    const auto boxes = drawn_boxes(answer.detections, classes_);
    if (options_.overlay) write_picture(frame, beside(frame.output, "boxes.jpg"), picture(box_overlay(image, boxes)));
    for (const PlacedMap& map : answer.maps) {
      const Image heat = heat_overlay(image, map.heat, {.opacity = options_.opacity});
      write_picture(frame, beside(frame.output, map.name + ".jpg"), picture(box_overlay(heat, boxes)));
    }
    if (options_.crops) save_crops(frame, answer.detections);
    save_annotations(frame, answer.detections);
    const std::string text = dump(found_json(frame, classes_, precision_)) + "\n";
    write_output(frame.output, [&] { write_file_atomically(frame.output, text.data(), text.size()); });
    frame.results.remove(kImage);
    frame.results.remove(kDetected);
  }
}

}  // namespace fovea
