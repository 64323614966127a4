// DICOM files for tests, written by dcmtk's data sets.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/folder.hpp"

namespace fovea::test {

// A picture of one sample a pixel, unsigned and of 16 bits unless changed.
class DicomFile {
 public:
  DicomFile(int rows, int columns, const std::vector<Uint16>& values);
  DcmDataset& data() { return *file_.getDataset(); }
  DicomFile& put(const DcmTagKey& tag, const std::string& text);
  DicomFile& put(const DcmTagKey& tag, int value);  // US
  // Where it lies; directions as for a slice across the body unless given.
  DicomFile& place(double x, double y, double z, const std::string& orientation = "1\\0\\0\\0\\1\\0");
  // Compressed by dcmtk where the syntax is of a codec.
  void save(const std::filesystem::path& path, E_TransferSyntax syntax = EXS_LittleEndianExplicit);

 private:
  DcmFileFormat file_;
};

// 0, 1, 2 ... of so many.
std::vector<Uint16> counting(int count, int first = 0, int step = 1);

}  // namespace fovea::test
