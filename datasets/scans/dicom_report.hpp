// Measurements as a DICOM Structured Report: Comprehensive SR (PS3.3 A.35.3) with the template TID 1500, Imaging Measurement Report (PS3.16).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "datasets/scans/dicom_segmentation.hpp"

namespace fovea {

struct CodedMeasure {
  Code what;
  std::optional<Code> derivation;  // mean, maximum ...
  double value = 0;
  Code unit;  // of UCUM
};

// One measurement group.
struct CodedFinding {
  std::string label;
  ClassCodes codes;
  std::vector<CodedMeasure> measures;
  std::vector<std::size_t> on;  // the sources where it is; empty: it was not found
};

struct MeasurementReportOptions {
  std::string algorithm, description, software, seed;  // as of SegmentationOptions
  std::optional<WrittenObject> segmentation;           // of the same sources, whose segments are the findings in their order
};

// Groups refer to their segment: on one source as TID 1410 (planar), on several as TID 1411 (volumetric); without a segmentation, and where nothing was
// found, to the sources (TID 1501). Patient and study are those of the first source. Error for sources without unique identifiers, and for
// what no valid report can be made of.
void write_measurement_report(const std::filesystem::path& file, const std::vector<SourceFrame>& sources,
                              const std::vector<CodedFinding>& findings, const MeasurementReportOptions& options);

// A unit that a scan names, as UCUM has it: "HU" is [hnsf'U], one that is not known {its name}, none "no units".
Code ucum_unit(const std::string& unit);
// What the values of a modality are.
Code intensity_of(const std::string& modality);

}  // namespace fovea
