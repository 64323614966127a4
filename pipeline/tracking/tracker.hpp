// Which boxes of a video are the same object: ByteTrack. Zhang et al. 2022, arXiv:2110.06864. A Kalman filter predicts where
// each track is; boxes of high scores are assigned to the tracks first, then those of low scores, of objects that are half
// hidden, to the tracks that are left, each time with the largest overlap in all. Unlike in the paper's code time is in
// seconds, so frames may be missing or come at any rate, and two tracks that were seen in one frame are never merged, however
// they overlap.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "datasets/boxes/box.hpp"
#include "pipeline/tracking/box_filter.hpp"

namespace fovea {

struct TrackerOptions {
  double high_score = 0.5;      // from here a box counts in the first round
  double low_score = 0.1;       // from here in the second; below it is left out
  double new_score = 0.6;       // from here one of high score that no track takes begins a track
  double match_iou = 0.2;       // in the first round IoU x score must be above this
  double low_iou = 0.5;         // in the second the IoU
  double new_iou = 0.3;         // IoU x score of a track that is not confirmed yet
  double same_iou = 0.85;       // above this IoU a lost track and a younger one are the same object
  double keep_seconds = 1;      // so long a track is looked for that is not seen; one seen in the frame before always is
  int confirm_hits = 2;         // seen in so many frames, without a gap, a track is confirmed
  bool across_classes = false;  // whether a track may take boxes of other classes than its last one
};

// A confirmed track.
struct Track {
  std::int64_t id = 0;                    // 1, 2, ... in the order of confirmation; never used twice
  Detection detection;                    // the last one, as it came
  Box predicted;                          // the filter's for this frame: smoothed where it is seen, else where it should be
  double age = 0;                         // seconds since it was first seen
  std::int64_t hits = 0;                  // frames in which it was seen
  std::optional<std::size_t> index = {};  // of its detection in this frame; none: it is not seen
};

class Tracker {
 public:
  // Error for options that make no sense.
  explicit Tracker(const TrackerOptions& options = {});

  // The tracks after one more frame, by id, with those that are lost but still looked for; what is missing has ended. `seconds`
  // is the frame's time stamp. Where time stands still or steps back nothing moves, and time goes on from there. A pause or a
  // step back of more than 10 seconds, and of more than keep_seconds, is another scene: all tracks end. The same frames give
  // the same tracks. Error, and nothing has changed: a box that is_valid() refuses or that is further out than 10^7 pixels, a
  // score outside 0..1, more than 1000 boxes of low_score and above, a time stamp that is not within 10^12 seconds. No track
  // begins while there are 2000.
  std::vector<Track> update(const Detections& detections, double seconds);

 private:
  struct Target {
    BoxFilter filter;
    Box predicted;
    Detection last;
    double born = 0, seen = 0;  // on the tracker's clock, which never goes back
    std::int64_t born_frame = 0, seen_frame = 0;
    std::int64_t id = 0, hits = 0;  // id 0: not confirmed
    std::optional<std::size_t> index;
  };
  using Indices = std::vector<std::size_t>;
  // What to multiply the IoU with.
  enum class Weight { none, score };

  void check_input(const Detections& detections, double seconds) const;
  double advance(double seconds);
  void predict(double elapsed);
  void match(const Detections& detections, Indices& targets, Indices& open, double least, Weight weight);
  void see(Target& target, const Detection& detection, std::size_t index);
  void begin(const Detections& detections, const Indices& open);
  void merge_same();
  std::vector<Track> confirmed() const;
  bool lost(const Target& t) const { return t.seen_frame < frame_; }
  bool may_be_one(const Detection& a, const Detection& b) const { return options_.across_classes || a.label == b.label; }

  TrackerOptions options_;
  std::vector<Target> targets_;
  std::optional<double> last_seconds_;
  double clock_ = 0;
  std::int64_t frame_ = 0, last_id_ = 0;
};

}  // namespace fovea
