// Slices of one series in the order in which they lie in the patient.
#pragma once

#include <span>

#include "datasets/scans/scan.hpp"

namespace fovea {

struct Slice {
  std::filesystem::path file;
  int frame = 0;
  FrameInfo about;
};

struct Volume {
  std::string series;
  int rows = 0, columns = 0;
  std::vector<Slice> slices;
  std::optional<double> step;  // mm from slice to slice: the median; absent for one slice, and where nobody says where they lie
  std::vector<std::string> notes;  // gaps, uneven steps, an order that is only the files'
};

struct ScanFile {
  std::filesystem::path file;
  ScanInfo info;
  std::vector<FrameInfo> frames;
};
ScanFile describe(const Scan& scan, const std::filesystem::path& file);

// Frames of one series, space, size, pixel spacing and orientation make a volume, ordered by their distance along the normal. Where several lie
// at one place, as the phases of a beating heart do, the first of each place make a volume, the second another, and so on; the order among
// them is that of `files`. Numbers that a scanner gives to its pictures play no part.
std::vector<Volume> sort_into_volumes(std::span<const ScanFile> files);

}  // namespace fovea
