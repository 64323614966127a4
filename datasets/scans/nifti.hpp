// NIfTI-1 and NIfTI-2 in one file (.nii, .nii.gz): https://nifti.nimh.nih.gov. Slices are frames; further dimensions count on behind them.
#pragma once

#include <filesystem>
#include <memory>

#include "datasets/scans/scan.hpp"

namespace fovea {

bool is_nifti(const std::filesystem::path& file);

// The file is read as far as the frame that is asked for and no further; in order is fastest where it is packed.
std::unique_ptr<Scan> open_nifti(const std::filesystem::path& file);

}  // namespace fovea
