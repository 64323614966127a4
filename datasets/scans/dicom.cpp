#include "datasets/scans/dicom.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "datasets/scans/dicom_frames.hpp"
#include "datasets/scans/dicom_geometry.hpp"
#include "modules/core/error.hpp"
#include "modules/io/files.hpp"

namespace fovea {
namespace {

namespace fs = std::filesystem;
using dicom::Item;

std::string kind_of(const Item& data) {
  const std::string uid = data.text(DCM_SOPClassUID);
  const char* name = uid.empty() ? nullptr : dcmFindNameOfUID(uid.c_str());
  return name ? name : uid;
}

std::optional<bool> yes_or_no(const std::string& text) {
  if (text == "YES") return true;
  if (text == "NO") return false;
  return std::nullopt;
}

std::string unit_of(const Item& data, const std::string& modality) {
  if (const std::string type = data.text(DCM_RescaleType); !type.empty()) return type == "US" ? "" : type;  // US: unspecified
  if (data.has(DCM_DoseUnits)) return data.text(DCM_DoseUnits);
  if (data.has(DCM_Units)) return data.text(DCM_Units);  // of positron emission
  // The standard's own default where CT says nothing (PS3.3 C.11.1.1.2).
  return modality == "CT" && data.has(DCM_RescaleSlope) ? "HU" : "";
}

class DicomScan final : public Scan {
 public:
  explicit DicomScan(const fs::path& file) : name_(file.string()) {
    const OFCondition loaded = content_.loadFile(name_.c_str());
    data_ = {content_.getDataset(), name_};
    const E_TransferSyntax syntax = content_.getDataset()->getOriginalXfer();
    check(loaded.good(), name_, ": damaged or truncated DICOM, or none of the transfer syntax that it claims (",
          DcmXfer(syntax).getXferName(), "): ", loaded.text());
    info_.kind = kind_of(data_);
    layout_ = dicom::read_layout(data_, syntax, info_.kind, fs::file_size(file));
    read_info(syntax);
  }

  const ScanInfo& info() const override { return info_; }

  FrameInfo frame_info(int frame) const override {
    check(frame >= 0 && frame < layout_.frames, name_, ": expected a frame from 0 to ", layout_.frames - 1, ", got ", frame);
    return dicom::read_frame_info(data_, frame);
  }

  cv::Mat frame(int frame) const override {
    const FrameInfo about = frame_info(frame);
    cv::Mat pixels = dicom::decode_frame(*content_.getDataset(), layout_, frame, name_);
    if (pixels.channels() == 3) return pixels;
    cv::Mat values;
    pixels.convertTo(values, CV_32F, about.slope, about.intercept);
    return values;
  }

  std::optional<VoiLut> voi_lut() const override { return dicom::read_voi_lut(data_); }

 private:
  void read_info(E_TransferSyntax syntax) {
    info_.format = "DICOM";
    info_.transfer_syntax = DcmXfer(syntax).getXferName();
    info_.modality = data_.text(DCM_Modality);
    info_.body_part = data_.text(DCM_BodyPartExamined);
    info_.view = data_.text(DCM_ViewPosition);
    info_.laterality = data_.text(data_.has(DCM_ImageLaterality) ? DCM_ImageLaterality : DCM_Laterality);
    info_.unit = unit_of(data_, info_.modality);
    info_.photometric = layout_.photometric;
    info_.series = data_.text(DCM_SeriesInstanceUID);
    info_.frame_of_reference = data_.text(DCM_FrameOfReferenceUID);
    info_.rows = layout_.rows, info_.columns = layout_.columns, info_.frames = layout_.frames;
    info_.bits_stored = layout_.stored, info_.is_signed = layout_.is_signed;
    info_.colour = layout_.samples == 3 || layout_.photometric == "PALETTE COLOR";
    info_.inverted = layout_.photometric == "MONOCHROME1";
    info_.burned_in = yes_or_no(data_.text(DCM_BurnedInAnnotation));
    info_.slice_thickness = data_.number(DCM_SliceThickness);
    if (const auto padding = data_.number(DCM_PixelPaddingValue); padding && layout_.frames == 1) {
      const FrameInfo first = dicom::read_frame_info(data_, 0);
      info_.padding = *padding * first.slope + first.intercept;
    }
    add_notes();
  }

  void add_notes() {
    if (layout_.frames_unreadable) info_.notes.emplace_back("its number of frames is no number: one is read");
    if (info_.colour && layout_.allocated == 32) info_.notes.emplace_back("its colours of 32 bits are read as 16");
    if (data_.has(DCM_LossyImageCompression) && data_.text(DCM_LossyImageCompression) == "01")
      info_.notes.emplace_back("it was compressed with loss");
  }

  const std::string name_;
  mutable DcmFileFormat content_;  // dcmtk reads values when they are first asked for
  Item data_;
  dicom::PixelLayout layout_;
  ScanInfo info_;
};

}  // namespace

bool is_dicom(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  char start[132] = {};
  in.read(start, sizeof start);
  const std::string_view bytes(start, static_cast<std::size_t>(in.gcount()));
  if (bytes.size() == sizeof start && bytes.substr(128) == "DICM") return true;
  // Without a preamble: group 2 or 8 in either order of bytes, a low element, then a VR of two capitals or a short length.
  if (bytes.size() < 8) return false;
  const int low = bytes[0] == 0 ? 1 : 0, high = 1 - low;
  if ((bytes[low] != 2 && bytes[low] != 8) || bytes[high] != 0 || bytes[2 + high] != 0) return false;
  const bool explicit_vr = bytes[4] >= 'A' && bytes[4] <= 'Z' && bytes[5] >= 'A' && bytes[5] <= 'Z';
  return explicit_vr || (bytes[6] == 0 && bytes[7] == 0);
}

std::unique_ptr<Scan> open_dicom(const fs::path& file) {
  dicom::start();
  return std::make_unique<DicomScan>(file);
}

}  // namespace fovea
