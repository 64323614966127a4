#include "pipeline/tasks/detect/video_tables.hpp"

#include <fmt/format.h>

#include "datasets/csv.hpp"

namespace fovea {

FoundInVideo found_in_video(const JsonValue& json) {
  const JsonValue video = json.at("video");
  FoundInVideo found{.seconds = video.at("seconds").number(), .frames = video.at("frames").whole<std::int64_t>(), .classes = {}};
  for (const JsonValue& one : json.at("classes").items())
    found.classes.push_back({one.at("class").text(), one.at("frames").whole<std::int64_t>(),
                             one.at("boxes").whole<std::int64_t>(), one.at("most").whole<std::int64_t>(),
                             one.has("tracks") ? one.at("tracks").whole<std::int64_t>() : -1});
  return found;
}

std::string videos_csv(const std::vector<FoundInVideo>& all) {
  std::string text = "file,seconds,frames,class,frames_with,boxes,most_at_once,tracks\r\n";
  for (const FoundInVideo& found : all)
    for (const FoundInVideo::Class& c : found.classes)
      text += fmt::format("{},{:.3f},{},{},{},{},{},{}\r\n", csv_field(found.input), found.seconds, found.frames,
                          csv_field(c.name), c.frames, c.boxes, c.most, c.tracks < 0 ? "" : std::to_string(c.tracks));
  return text;
}

std::vector<std::pair<std::string, std::string>> class_lines(const FoundInVideo& found) {
  std::vector<std::pair<std::string, std::string>> lines;
  for (const FoundInVideo::Class& c : found.classes) {
    std::string text = fmt::format("in {} of {} frames, up to {} at once", c.frames, found.frames, c.most);
    if (c.tracks >= 0) text += fmt::format(", {} track{}", c.tracks, c.tracks == 1 ? "" : "s");
    lines.emplace_back(c.name, text);
  }
  return lines;
}

}  // namespace fovea
