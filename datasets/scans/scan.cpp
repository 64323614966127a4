#include "datasets/scans/scan.hpp"

#include "datasets/scans/dicom.hpp"
#include "datasets/scans/in_process.hpp"
#include "datasets/scans/nifti.hpp"
#include "modules/core/error.hpp"

namespace fovea {

bool is_scan(const std::filesystem::path& file) { return is_dicom(file) || is_nifti(file); }

std::unique_ptr<Scan> open_scan_in_process(const std::filesystem::path& file) {
  if (is_dicom(file)) return open_dicom(file);
  if (is_nifti(file)) return open_nifti(file);
  if (std::error_code none; !std::filesystem::exists(file, none)) fail(file.string(), ": no such file");
  fail(file.string(), ": expected a scan: DICOM or NIfTI");
}

}  // namespace fovea
