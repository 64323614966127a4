#include "pipeline/tasks/segment/stages.hpp"

#include "datasets/masks.hpp"
#include "modules/io/files.hpp"
#include "pipeline/output_names.hpp"
#include "pipeline/sinks/ledger_json.hpp"
#include "pipeline/stages/save.hpp"
#include "pipeline/tasks/segment/overlay.hpp"

namespace fovea {
void DecodeLabels::process(std::span<Frame> frames) {
  for (Frame& frame : frames) {
    frame.results.put(kLabelMap, label_map(frame.results.get(kResult).outputs.at("logits"), frame.results.get(kGeometry)));
    frame.results.remove(kResult);
  }
}

nlohmann::ordered_json answer_of(const Frame& frame, const std::vector<std::string>& classes, DType precision) {
  const LabelMap& map = frame.results.get(kLabelMap);
  nlohmann::ordered_json json;
  put_name(json, "file", frame.source);
  json["precision"] = name_of(precision);
  json["width"] = map.labels.cols, json["height"] = map.labels.rows;
  const int seen = cv::countNonZero(map.labels != kIgnoredLabel);
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const cv::Mat mask = map.labels == static_cast<int>(classes.size() == 1 ? 1 : c);
    const int pixels = cv::countNonZero(mask);
    const double confidence = pixels > 0 ? cv::mean(map.probabilities[c], mask)[0] : 0;
    json["classes"].push_back({{"class", classes[c]},
                               {"pixels", pixels},
                               {"share", seen > 0 ? static_cast<double>(pixels) / seen : 0.0},
                               {"confidence", confidence}});
  }
  return json;
}

void SaveLabels::process(std::span<Frame> frames) {
  for (Frame& frame : frames) {
    const LabelMap& map = frame.results.get(kLabelMap);
    save_png(frame, beside(frame.output, "mask.png"), classes_.size() == 1 ? cv::Mat((map.labels == 1)) : map.labels);
    save_png(frame, beside(frame.output, "overlay.png"),
             label_overlay(frame.results.get(kImage), map.labels, classes_, opacity_));
    const std::string text = dump(answer_of(frame, classes_, precision_)) + "\n";
    write_output(frame.output, [&] { write_file_atomically(frame.output, text.data(), text.size()); });
    frame.results.remove(kImage);
    frame.results.remove(kLabelMap);
  }
}

}  // namespace fovea
