// The header of a NIfTI file, checked.
#pragma once

#include <span>

#include "datasets/scans/scan.hpp"

namespace fovea::nifti {

inline constexpr std::size_t kHeader1 = 348, kHeader2 = 540;  // bytes, without the extensions behind

struct Header {
  int version = 1;
  bool swapped = false;                // the other order of bytes than this machine's
  std::array<std::int64_t, 8> size{};  // size[0] dimensions, then columns, rows, slices ...
  int type = 0, bits = 0;              // of a voxel
  std::int64_t offset = 0;             // of the first voxel
  double slope = 1, intercept = 0;
  // Voxel (i, j, k) to mm in the patient as DICOM counts, in rows; absent where the file says nothing.
  std::optional<std::array<std::array<double, 4>, 3>> affine;
  std::array<double, 3> step{1, 1, 1};  // mm
  bool in_mm = true;                    // else nobody says in what

  std::int64_t frames() const;
};

// 1 or 2; 0: none. `bytes`: the first 540, or as many as there are.
int version_of(std::span<const std::uint8_t> bytes);
Header read_header(std::span<const std::uint8_t> bytes, const std::string& file);

}  // namespace fovea::nifti
