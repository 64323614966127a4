// What was found on one input, as the stages hand it on.
#pragma once

#include <memory>
#include <opencv2/core.hpp>
#include <optional>
#include <string>
#include <vector>

#include "datasets/regions/measure.hpp"
#include "datasets/scans/image_stack.hpp"
#include "pipeline/frame.hpp"
#include "pipeline/tasks/highlight/highlighter.hpp"

namespace fovea {

// Of a whole picture, of models whose pictures have one.
struct PictureScore {
  double probability = 0, deviations = 0;  // the largest on the picture; the second in standard deviations from what is normal
};

// One class on one picture.
struct FoundClass {
  cv::Mat regions;      // CV_32S: numbers of regions, 0 for none; the same number on all slices of a volume
  cv::Mat probability;  // u16: 0 to 65535 is 0 to 1
  cv::Mat uncertainty;  // u16 likewise, or empty
  std::vector<RegionMeasure> measures;
  std::optional<PictureScore> score;
};

struct FoundPicture {
  cv::Mat shown;  // u8, one channel or BGR
  std::vector<FoundClass> classes;
  std::vector<HighlightMap> maps;
};

struct HighlightAnswer {
  std::shared_ptr<const ImageStack> stack;
  std::vector<FoundPicture> pictures;  // in the order of the stack
  bool forced = false;                 // the model was not made for it
};

inline constexpr Key<std::shared_ptr<const ImageStack>> kStack{"stack"};
inline constexpr Key<HighlightAnswer> kHighlighted{"highlighted"};

// Of class c. Nothing where the model's pictures have none.
std::optional<PictureScore> score_of(const Highlights& answer, std::size_t c, const RegionRules& rules);

inline constexpr const char* kResearchOnly = "Research use only, not for diagnosis";

}  // namespace fovea
