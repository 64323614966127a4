// How well boxes that a network found match the true ones: average precision (AP) and average recall (AR) as COCO defines them,
// https://cocodataset.org/#detection-eval, number for number those of pycocotools' COCOeval for boxes. (But for one: there an
// object whose annotation has the id 0 counts as never found.)
//
// Detections are matched image by image and class by class, the surest first and the first 100 only, each with the free object
// that it overlaps most. What is matched with an ignored object, or unmatched and outside the range of areas, is neither right
// nor wrong.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "datasets/metrics/boxes_match.hpp"

namespace fovea {

inline constexpr std::size_t kRecalls = 101;
// Precision at the recalls 0, 0.01 ... 1: the best of all thresholds of the score that reach the recall; 0 where none does.
using PrecisionCurve = std::array<double, kRecalls>;

// COCO's thresholds of intersection over union: 0.5, 0.55 ... 0.95.
std::vector<double> coco_thresholds();

// Figures are -1 where there is no object to be found, or the threshold of 0.5 or 0.75 was not asked for.
struct BoxScores {
  struct PerClass {
    std::string name;
    std::int64_t objects = 0;     // to be found: ignored ones are not counted
    std::int64_t detections = 0;  // of the 100 surest of each image
    double ap = -1, ap50 = -1, ar100 = -1;
    // At IoU 0.5, where the score is cut so that F1 is best.
    double best_f1 = -1, best_score = -1, best_precision = -1, best_recall = -1;
    std::vector<PrecisionCurve> curves = {};  // one a threshold; empty where there is no object
  };

  // AP is the mean over classes, thresholds and recalls; AR the mean recall that is reached with so many detections an image
  // and class, over classes and thresholds. small: objects of up to 32^2 pixels, medium: to 96^2, large: above.
  double ap = -1, ap50 = -1, ap75 = -1, ap_small = -1, ap_medium = -1, ap_large = -1;
  double ar1 = -1, ar10 = -1, ar100 = -1, ar_small = -1, ar_medium = -1, ar_large = -1;
  std::vector<double> thresholds;
  std::vector<PerClass> classes;

  std::size_t threshold(double iou) const;  // where it stands; past the end where it was not asked for
  // The twelve figures in COCO's order, by the names AP, AP50, AP75, AP_small ... AR1, AR10, AR100, AR_small ...
  std::vector<std::pair<std::string, double>> figures() const;
};

struct RankedMatch;

class BoxMetrics {
 public:
  // Labels count `classes`. Error for thresholds of intersection over union that are not in (0, 1], none or more than 32.
  explicit BoxMetrics(std::vector<std::string> classes, std::vector<double> thresholds = coco_thresholds());

  // What is there on an image, and what was found; images may come in any order. Detections of equal score count in the order
  // of the ids of their images, then in their own. Error for an image that was added before, unknown labels, numbers that are
  // not finite, more than 100,000 objects.
  void add(std::int64_t image, const std::vector<Annotation>& truth, const Detections& detections);

  std::int64_t images() const { return static_cast<std::int64_t>(images_.size()); }
  const std::vector<std::string>& classes() const { return classes_; }
  BoxScores scores() const;

  // How far AP50 of each class would vary with other images of the same kind: percentile intervals of the bootstrap (Efron
  // 1979) over images.
  struct Resampling {
    int resamples = 1000;
    std::uint64_t seed = 0;
    double level = 0.95;
  };
  struct Interval {
    double low = -1, high = -1;  // -1 where no resample holds an object
    int resamples = 0;           // that hold one
  };
  std::vector<Interval> intervals(const Resampling& resampling) const;

 private:
  struct OfImage {
    std::int64_t image;
    BoxMatches matches;
  };
  // The detections of a class on all images, the surest first; equals by the id of their image.
  std::vector<RankedMatch> ranked(std::size_t c) const;

  std::vector<std::string> classes_;
  std::vector<double> thresholds_;
  std::set<std::int64_t> images_;
  std::vector<std::vector<OfImage>> found_;  // by class; images with an object or a detection of it
};

}  // namespace fovea
