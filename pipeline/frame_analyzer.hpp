// What a task makes of the pictures of a video or of a camera, one after another. An open Operation makes one for each stream, since it may
// remember what it saw (which object is which). What costs is in look(), which several threads may call for several pictures at once; what
// goes on from picture to picture is in follow(), in their order:
//
//   auto analyzer = operation.analyzer(false);
//   while (const auto frame = video.next()) {
//     const auto json = analyzer->follow(analyzer->look(frame->image, {}), frame->image, frame->seconds, analyzer->threshold());
//     show(analyzer->draw(frame->image, "", 0.5));
//   }
#pragma once

#include <any>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

namespace fovea {

class FrameAnalyzer {
 public:
  virtual ~FrameAnalyzer() = default;

  // What can lie over a picture, by name: attention maps. Costly to keep, so an operation names none unless it is told to (see analyzer()).
  virtual std::vector<std::string> maps() const { return {}; }
  // As the operation's options say: the score from which on things are shown, and how opaque a map is, 0..1.
  virtual double threshold() const = 0;
  virtual double opacity() const { return 0.5; }

  // What the network says of an 8-bit BGR picture of any size, with those of maps() that are named. For follow(). Error.
  virtual std::any look(const cv::Mat& picture, const std::vector<std::string>& maps) const = 0;
  // The next picture of the stream, what look() gave for it, its time: an object, in which "objects" is a list of {"class", "score", "track", ...},
  // those of `threshold` and above, and "events" what has happened (crossings of lines), if anything has.
  virtual nlohmann::ordered_json follow(std::any seen, const cv::Mat& picture, double seconds, double threshold) = 0;
  // The last picture of follow() with its answer drawn on it, over one of the maps that look() was told, or over itself ("").
  virtual cv::Mat draw(const cv::Mat& picture, const std::string& map, double opacity) const = 0;
  // Over all pictures so far: how many objects of each kind, crossings.
  virtual nlohmann::ordered_json summary() const = 0;
};

}  // namespace fovea
