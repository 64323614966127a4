// Masks as a DICOM Segmentation object (PS3.3 A.51) that a viewer lays over the images that they were made from.
#pragma once

#include <filesystem>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "datasets/scans/scan.hpp"
#include "modules/io/codes.hpp"

namespace fovea {

struct CodedSegment {
  std::string label;  // at most 64 characters
  ClassCodes codes;
};

// A frame that was looked at: what its file says (read_header), and which of its frames.
struct SourceFrame {
  std::string header;
  int frame = 0;
  FrameInfo about;
};

struct SegmentationOptions {
  bool fractional = false;  // probabilities instead of masks
  std::string algorithm;    // its name: the model's
  std::string description;  // of the series, at most 64 characters
  std::string software;     // version
  std::string seed = {};    // where unique identifiers must be the same when the same is written again; else they are new ones
};

// An object that others refer to.
struct WrittenObject {
  std::string series, instance;   // unique identifiers
  std::vector<int> first_frames;  // of each segment, from 1; 0: it has none
};

// masks: of each segment one a source, u8, of the sources' size: not 0 where the segment is; fractional: 0 to 255 is 0 to 1. Empty masks are left out, unless all are.
// Patient, study and frame of reference are those of the first source; without a frame of reference the object has none and is placed by its pixels. Error for sources of different
// sizes, and for attributes that no valid object can be made of. Segments are numbered from 1 in their order.
WrittenObject write_segmentation(const std::filesystem::path& file, const std::vector<SourceFrame>& sources,
                                 const std::vector<CodedSegment>& segments, const std::vector<std::vector<cv::Mat>>& masks,
                                 const SegmentationOptions& options);

}  // namespace fovea
