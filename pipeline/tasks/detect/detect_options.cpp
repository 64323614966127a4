#include "pipeline/tasks/detect/detect_options.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "modules/explain/class_index.hpp"

namespace fovea {
namespace {

const std::vector<std::string> kWritten{"overlay", "crops", "yolo", "voc", "none"};

}  // namespace

void DetectSettings::add_stream_options(OptionList& o) {
  o.number("--conf", confidence, 0, 1, "Least score of a box (default: the model's)");
  o.hide_default();
  o.number("--iou", iou, 0, 1, "Overlap from which two boxes of a class are one (default: the model's)");
  o.hide_default();
  o.integer("--max-det", most, 1, 10000, "Boxes a picture, the surest");
  o.words("--classes", classes, "Only objects of these classes");
  o.word("--nms", nms, "How overlapping boxes become one", {"hard", "soft_linear", "soft_gaussian", "fusion"});
  o.flag("--across-classes", across_classes, "Boxes of different classes that overlap are one, too");
  o.flag("--flip", detector.flip, "Look at each picture mirrored, too");
  o.integer("--tile", detector.tile, 0, 1 << 20,
            "Look at windows of so many pixels beside the whole picture, for small objects in large pictures; 0: do not");
  o.number("--overlap", detector.overlap, 0, 0.9, "Of neighbouring windows");
  o.words("--maps", maps, "Attention maps to lay on the picture, by pattern: '**' is all");
  o.number("--opacity", save.opacity, 0, 1, "Of the colours of maps");
  o.flag("--track", stream.track, "In videos: which boxes are the same object, by a number");
  o.words(
      "--line", lines,
      "In videos: count what crosses a line, 'name:x1,y1,x2,y2' in pixels or percent ('door:0%,60%,100%,60%'); implies --track");
  o.words("--zone", zones, "In videos: count what enters and leaves a polygon, 'name:x,y;x,y;x,y...'; implies --track");
}

void DetectSettings::add_options(OptionList& o) {
  add_stream_options(o);
  o.words("--write", written, "Beside the JSON of each picture: overlay (the default), crops, yolo, voc, or none of them");
  o.integer("--explain", explained, 0, 100, "Of so many boxes a picture, the surest: where the network looked for it (Grad-CAM)");
  o.number("--limit", limit, 0, 1e9, "Seconds of each video or stream to look at; 0: all of it");
}

void DetectSettings::resolve(const Model& model, DType precision) {
  for (const std::string& w : written)
    check(std::find(kWritten.begin(), kWritten.end(), w) != kWritten.end(),
          "--write: expected overlay, crops, yolo, voc or none, got '", w, "'");
  const auto writes = [&](const char* what) { return std::find(written.begin(), written.end(), what) != written.end(); };
  save.overlay = written.empty() || writes("overlay");
  save.crops = writes("crops"), save.yolo = writes("yolo"), save.voc = writes("voc");
  detector.precision = precision;
  detector.decode = decode_options(model, confidence, iou);
  Suppression& s = detector.decode.suppression;
  s.across_classes = across_classes;
  s.kind = suppression_called(nms);
  s.most = static_cast<std::size_t>(most);
  detector.keep = maps.empty() ? "" : maps.size() == 1 ? maps[0] : fmt::format("{{{}}}", fmt::join(maps, ","));
  stream.confidence = detector.decode.confidence;
  stream.opacity = save.opacity;
  for (const std::string& name : classes) stream.labels.insert(explain::class_index(name, model.classes()));
  for (const std::string& text : lines) stream.lines.push_back(parse_line(text));
  for (const std::string& text : zones) stream.zones.push_back(parse_zone(text));
}

nlohmann::json DetectSettings::json() const {
  const DecodeOptions& d = detector.decode;
  return {{"command", "detect"},
          {"conf", d.confidence},
          {"iou", d.suppression.iou},
          {"max_det", most},
          {"classes", classes},
          {"nms", nms},
          {"across_classes", d.suppression.across_classes},
          {"flip", detector.flip},
          {"tile", detector.tile},
          {"overlap", detector.overlap},
          {"write", written},
          {"maps", maps},
          {"explain", explained},
          {"opacity", save.opacity},
          {"track", stream.track},
          {"lines", lines},
          {"zones", zones},
          {"limit", limit}};
}

DetectOptions DetectSettings::for_streams(const Model& model, bool all_maps) const {
  DetectOptions options = detector;
  double& least = options.decode.confidence;
  least = options.decode.suppression.least_score = std::min(least, kStreamFloor);
  if (all_maps && options.keep.empty() && has_map_layers(model)) options.keep = "**";
  return options;
}

}  // namespace fovea
