#include "pipeline/tasks/highlight/save_dicom.hpp"

#include "datasets/scans/deidentify.hpp"
#include "datasets/scans/header.hpp"
#include "pipeline/output_names.hpp"
#include "pipeline/stages/save.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

const Code kArea{"42798000", "SCT", "Area"}, kVolume{"118565006", "SCT", "Volume"},
    kCertainty{"111012", "DCM", "Certainty of Finding"}, kMean{"373098007", "SCT", "Mean"},
    kDeviation{"386136009", "SCT", "Standard Deviation"}, kLeast{"255605001", "SCT", "Minimum"},
    kMost{"56851009", "SCT", "Maximum"}, kMm2{"mm2", "UCUM", "Square millimeter"}, kMm3{"mm3", "UCUM", "Cubic millimeter"},
    kPixels{"{pixels}", "UCUM", "pixels"}, kVoxels{"{voxels}", "UCUM", "voxels"}, kPercent{"%", "UCUM", "Percent"};

}  // namespace

std::vector<StackPart> parts_of(const ImageStack& stack) {
  std::vector<StackPart> parts;
  std::size_t first = 0;
  for (std::size_t v = 0; v < stack.volumes().size(); ++v) {
    const auto count = static_cast<std::size_t>(stack.volumes()[v]);
    parts.push_back({first, count, v, v == 0 ? std::string() : std::to_string(v + 1) + "."});
    first += count;
  }
  return parts;
}

DicomOutputs::DicomOutputs(Frame& frame, const HighlightAnswer& answer, const std::vector<std::string>& classes,
                           const SaveHighlightsOptions& options)
    : frame_(frame),
      answer_(answer),
      classes_(classes),
      options_(options),
      dicom_(answer.stack->is_scan() && answer.stack->info().format == "DICOM"),
      captures_{new_series_uid(seed_of("captures")), kResearchOnly, FOVEA_VERSION, options.model, seed_of("captures")} {}

// The same for the same input and settings where names are replaced, so that a run that goes on writes what it would have written.
std::string DicomOutputs::seed_of(const std::string& what) const {
  return options_.key ? options_.seed + '\0' + frame_.alias + '\0' + what : std::string();
}

const std::string& DicomOutputs::header_of(const fs::path& file) {
  const auto [place, fresh] = headers_.try_emplace(file);
  if (fresh) place->second = read_header(file);
  if (fresh && options_.key) place->second = deidentified(place->second, options_.key->pseudonyms());
  return place->second;
}

bool DicomOutputs::save(const fs::path& file, const char* kind, const std::function<void(const fs::path&)>& write) {
  try {
    write_output(file, [&] { write(file); });
    frame_.written.push_back(file);
    return true;
  } catch (const FileError&) { throw; } catch (const EnvironmentError&) {
    throw;
  } catch (const Error& e) { frame_.notes.push_back(std::string("no DICOM ") + kind + ": " + e.what()); }
  return false;
}

void DicomOutputs::save_capture(const fs::path& file, const cv::Mat& drawn, std::size_t picture) {
  if (!dicom_) return;
  const int i = static_cast<int>(picture);
  const Slice& slice = answer_.stack->slice(i);
  save(file, "secondary capture",
       [&](const fs::path& to) { write_capture(to, drawn, header_of(slice.file), slice.frame, captures_, i + 1); });
}

void DicomOutputs::save_volumes() {
  if (!dicom_ || (!options_.segmentation && !options_.report)) return;
  for (const StackPart& part : parts_of(*answer_.stack)) {
    const std::vector<SourceFrame> sources = sources_of(part);
    std::optional<WrittenObject> segmentation;
    if (options_.segmentation) segmentation = save_segmentation(part, sources);
    if (options_.report) save_report(part, sources, std::move(segmentation));
  }
}

std::vector<SourceFrame> DicomOutputs::sources_of(const StackPart& part) {
  std::vector<SourceFrame> sources;
  for (std::size_t i = part.first; i < part.first + part.count; ++i) {
    const Slice& slice = answer_.stack->slice(static_cast<int>(i));
    sources.push_back({header_of(slice.file), slice.frame, slice.about});
  }
  return sources;
}

std::optional<WrittenObject> DicomOutputs::save_segmentation(const StackPart& part, const std::vector<SourceFrame>& sources) {
  std::vector<CodedSegment> segments;
  std::vector<std::vector<cv::Mat>> masks(classes_.size());
  for (std::size_t c = 0; c < classes_.size(); ++c) {
    segments.push_back({classes_[c].substr(0, 64), options_.codes[c]});
    for (std::size_t i = 0; i < part.count; ++i) masks[c].push_back(segment_of(answer_.pictures[part.first + i].classes[c]));
  }
  const SegmentationOptions options{options_.fractional, options_.model, kResearchOnly, FOVEA_VERSION,
                                    seed_of(part.prefix + "segmentation")};
  std::optional<WrittenObject> written;
  const bool done = save(beside(frame_.output, part.prefix + "seg.dcm"), "segmentation",
                         [&](const fs::path& file) { written = write_segmentation(file, sources, segments, masks, options); });
  return done ? written : std::nullopt;
}

void DicomOutputs::save_report(const StackPart& part, const std::vector<SourceFrame>& sources,
                               std::optional<WrittenObject> segmentation) {
  std::vector<CodedFinding> findings;
  for (std::size_t c = 0; c < classes_.size(); ++c) findings.push_back(finding_of(part, c));
  const MeasurementReportOptions options{options_.model, kResearchOnly, FOVEA_VERSION, seed_of(part.prefix + "report"),
                                         std::move(segmentation)};
  save(beside(frame_.output, part.prefix + "sr.dcm"), "structured report",
       [&](const fs::path& file) { write_measurement_report(file, sources, findings, options); });
}

CodedFinding DicomOutputs::finding_of(const StackPart& part, std::size_t c) const {
  const ClassTotal total = total_of(answer_, c, part.first, part.count);
  CodedFinding finding{classes_[c].substr(0, 64), options_.codes[c], {size_of(part, total)}, total.on};
  if (total.pixels == 0) return finding;
  const ScanInfo& info = answer_.stack->info();
  const Code intensity = intensity_of(info.modality), unit = ucum_unit(info.colour ? "" : info.unit);
  finding.measures.push_back({kCertainty, std::nullopt, 100 * total.confidence, kPercent});
  finding.measures.push_back({intensity, kMean, total.mean, unit});
  finding.measures.push_back({intensity, kDeviation, total.deviation, unit});
  finding.measures.push_back({intensity, kLeast, total.least, unit});
  finding.measures.push_back({intensity, kMost, total.most, unit});
  return finding;
}

// In millimetres only of the patient: what is measured at the detector is larger than what it shows.
CodedMeasure DicomOutputs::size_of(const StackPart& part, const ClassTotal& total) const {
  bool in_patient = total.mm2.has_value();
  for (std::size_t i = part.first; i < part.first + part.count; ++i) {
    const auto& spacing = answer_.stack->slice(static_cast<int>(i)).about.spacing;
    in_patient = in_patient && spacing && !spacing->at_detector;
  }
  if (part.count == 1)
    return in_patient ? CodedMeasure{kArea, {}, *total.mm2, kMm2} : CodedMeasure{kArea, {}, total.pixels, kPixels};
  const auto step = answer_.stack->step(part.volume);
  return in_patient && step ? CodedMeasure{kVolume, {}, *total.mm2 * *step, kMm3}
                            : CodedMeasure{kVolume, {}, total.pixels, kVoxels};
}

// Probabilities in steps of 1/255, or the mask.
cv::Mat DicomOutputs::segment_of(const FoundClass& found) const {
  cv::Mat out;
  if (options_.fractional) found.probability.convertTo(out, CV_8U, 1 / 257.0);
  else out = found.regions != 0;
  return out;
}

}  // namespace fovea
