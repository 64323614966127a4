#include "tests/support/dicom.hpp"

#include <dcmtk/dcmdata/dcrleerg.h>
#include <dcmtk/dcmjpeg/djencode.h>
#include <dcmtk/dcmjpls/djencode.h>

#include <mutex>
#include <stdexcept>

namespace fovea::test {
namespace {

void need(const OFCondition& c, const char* what) {
  if (c.bad()) throw std::runtime_error(std::string("tests/support/dicom.cpp: ") + what + ": " + c.text());
}

void register_encoders() {
  static std::once_flag once;
  std::call_once(once, [] {
    DJEncoderRegistration::registerCodecs();
    DJLSEncoderRegistration::registerCodecs();
    DcmRLEEncoderRegistration::registerCodecs();
  });
}

}  // namespace

DicomFile::DicomFile(int rows, int columns, const std::vector<Uint16>& values) {
  put(DCM_SOPClassUID, UID_SecondaryCaptureImageStorage);
  put(DCM_SOPInstanceUID, "1.2.826.0.1.3680043.10.1");
  put(DCM_Modality, "OT");
  put(DCM_Rows, rows), put(DCM_Columns, columns), put(DCM_SamplesPerPixel, 1);
  put(DCM_PhotometricInterpretation, "MONOCHROME2");
  put(DCM_BitsAllocated, 16), put(DCM_BitsStored, 16), put(DCM_HighBit, 15), put(DCM_PixelRepresentation, 0);
  need(data().putAndInsertUint16Array(DCM_PixelData, values.data(), static_cast<unsigned long>(values.size())), "pixels");
}

DicomFile& DicomFile::put(const DcmTagKey& tag, const std::string& text) {
  need(data().putAndInsertString(tag, text.c_str()), text.c_str());
  return *this;
}

DicomFile& DicomFile::put(const DcmTagKey& tag, int value) {
  need(data().putAndInsertUint16(tag, static_cast<Uint16>(value)), "a number");
  return *this;
}

DicomFile& DicomFile::place(double x, double y, double z, const std::string& orientation) {
  put(DCM_ImagePositionPatient, std::to_string(x) + "\\" + std::to_string(y) + "\\" + std::to_string(z));
  return put(DCM_ImageOrientationPatient, orientation);
}

void DicomFile::save(const std::filesystem::path& path, E_TransferSyntax syntax) {
  register_encoders();
  if (DcmXfer(syntax).isEncapsulated()) need(data().chooseRepresentation(syntax, nullptr), "compression");
  need(file_.saveFile(path.c_str(), syntax), "saving");
}

std::vector<Uint16> counting(int count, int first, int step) {
  std::vector<Uint16> values;
  for (int i = 0; i < count; ++i) values.push_back(static_cast<Uint16>(first + i * step));
  return values;
}

}  // namespace fovea::test
