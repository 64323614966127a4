// What was found on DICOM files as DICOM objects beside them.
#pragma once

#include <functional>
#include <map>

#include "datasets/scans/dicom_capture.hpp"
#include "datasets/scans/dicom_report.hpp"
#include "pipeline/tasks/highlight/stages.hpp"
#include "pipeline/tasks/highlight/totals.hpp"

namespace fovea {

// Of one volume of a stack: its pictures.
struct StackPart {
  std::size_t first = 0, count = 1, volume = 0;
  std::string prefix;  // of names where there are several: "2."
};
std::vector<StackPart> parts_of(const ImageStack& stack);

// Of one input; does nothing for other formats. An object that cannot be made is no reason to lose the rest: it is noted.
class DicomOutputs {
 public:
  DicomOutputs(Frame& frame, const HighlightAnswer& answer, const std::vector<std::string>& classes,
               const SaveHighlightsOptions& options);

  // What is drawn over a picture, as a secondary capture.
  void save_capture(const std::filesystem::path& file, const cv::Mat& drawn, std::size_t picture);
  // One segmentation and one report a volume, as far as they are asked for.
  void save_volumes();

 private:
  const std::string& header_of(const std::filesystem::path& file);
  std::string seed_of(const std::string& what) const;
  bool save(const std::filesystem::path& file, const char* kind, const std::function<void(const std::filesystem::path&)>& write);
  std::vector<SourceFrame> sources_of(const StackPart& part);
  std::optional<WrittenObject> save_segmentation(const StackPart& part, const std::vector<SourceFrame>& sources);
  void save_report(const StackPart& part, const std::vector<SourceFrame>& sources, std::optional<WrittenObject> segmentation);
  CodedFinding finding_of(const StackPart& part, std::size_t c) const;
  CodedMeasure size_of(const StackPart& part, const ClassTotal& total) const;
  cv::Mat segment_of(const FoundClass& found) const;

  Frame& frame_;
  const HighlightAnswer& answer_;
  const std::vector<std::string>& classes_;
  const SaveHighlightsOptions& options_;
  const bool dicom_;
  CaptureSeries captures_;
  std::map<std::filesystem::path, std::string> headers_;  // each read once: one file may hold hundreds of slices
};

}  // namespace fovea
