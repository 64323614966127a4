// NIfTI-1 files (.nii.gz), a slice at a time.
#pragma once

#include <filesystem>
#include <memory>
#include <opencv2/core.hpp>
#include <optional>

#include "datasets/scans/scan.hpp"

namespace fovea {

struct NiftiGeometry {
  int columns = 0, rows = 0, slices = 1;
  std::optional<PixelSpacing> spacing;  // absent: counted in pixels, with a unit that is not said
  std::optional<Plane> plane;           // of the first slice; absent: nowhere in particular
  std::optional<double> step;           // mm from slice to slice along the normal
};

// Writes slices of CV_8U (stored so), CV_16U (as unsigned 16-bit) or CV_32F, all of one type; `scale`: value = stored * scale. The affine, sform and qform alike, takes voxels
// to NIfTI's millimetres (x to the right, y to the front). The file is complete under its name once finish() returns, and absent before.
class NiftiWriter {
 public:
  NiftiWriter(const std::filesystem::path& file, const NiftiGeometry& geometry, int type, double scale = 1);
  ~NiftiWriter();
  void add(const cv::Mat& slice);
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fovea
