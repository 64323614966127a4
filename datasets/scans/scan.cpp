#include "datasets/scans/scan.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "datasets/scans/dicom.hpp"
#include "datasets/scans/in_process.hpp"
#include "datasets/scans/nifti.hpp"
#include "modules/io/files.hpp"

namespace fovea {

namespace {

// What cannot be read has no format.
void check_readable(const std::filesystem::path& file) {
  const int error = try_again([&] {
    errno = 0;
    std::ifstream in(file, std::ios::binary);
    const bool read = in && (in.peek() != std::ifstream::traits_type::eof() || errno == 0);  // an empty file has no error
    return read || errno == EISDIR ? 0 : errno != 0 ? errno : EIO;
  });
  if (error == ENOENT) fail(file.string(), ": no such file");
  if (error != 0) throw FileError(file.string() + ": cannot read: " + std::strerror(error), error);
}

}  // namespace

bool is_scan(const std::filesystem::path& file) { return is_dicom(file) || is_nifti(file); }

std::unique_ptr<Scan> open_scan_in_process(const std::filesystem::path& file) {
  check_readable(file);
  if (is_dicom(file)) return open_dicom(file);
  if (is_nifti(file)) return open_nifti(file);
  fail(file.string(), ": expected a scan: DICOM or NIfTI");
}

}  // namespace fovea
