#include "datasets/scans/dicom_capture.hpp"

#include <algorithm>
#include <opencv2/imgproc.hpp>
#include <string_view>

#include "datasets/scans/burned_in.hpp"
#include "datasets/scans/dicom_frames.hpp"
#include "datasets/scans/dicom_source.hpp"
#include "modules/core/error.hpp"
#include "modules/io/output_file.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

using dicom::must;
using dicom::text_of;

// Body parts of PS3.16, Annex L, that have no other side.
constexpr std::string_view kUnpaired[] = {
    "ABDOMEN", "ABDOMENPELVIS", "AORTA",     "BACK",     "BLADDER",        "BRAIN",       "CEREBELLUM",  "CSPINE",   "CHEST",
    "COCCYX",  "COLON",         "ESOPHAGUS", "FACE",     "CORONARYARTERY", "GALLBLADDER", "HEAD",        "HEADNECK", "HEART",
    "ILEUM",   "JAW",           "LARYNX",    "LIVER",    "LSPINE",         "MAXILLA",     "MEDIASTINUM", "MOUTH",    "NECK",
    "NOSE",    "PANCREAS",      "PELVIS",    "PENIS",    "PHARYNX",        "PROSTATE",    "RECTUM",      "SSPINE",   "SCALP",
    "SKULL",   "SPINE",         "SPLEEN",    "STERNUM",  "STOMACH",        "THYROID",     "TONGUE",      "TRACHEA",  "TSPINE",
    "UTERUS",  "VAGINA",        "VULVA",     "WHOLEBODY"};

class Capture {
 public:
  Capture(const std::string& header) : source_(dicom::parse_header(header)) {
    check(!text_of(*source_, DCM_SOPInstanceUID).empty() && !text_of(*source_, DCM_StudyInstanceUID).empty(),
          "DICOM: nothing can refer to a source without unique identifiers");
    dicom::copy_subject(*source_, data());
    dicom::copy_body_part(*source_, data());
    put_laterality();
    must(data().insertEmptyElement(DCM_PatientOrientation), "an empty attribute");
  }

  void put(const DcmTagKey& tag, const std::string& value) {
    must(data().putAndInsertString(tag, value.c_str()), "an attribute");
  }
  void put(const DcmTagKey& tag, Uint16 value) { must(data().putAndInsertUint16(tag, value), "an attribute"); }

  void put_pixels(const cv::Mat& bgr) {
    cv::Mat rgb;
    cv::cvtColor(bgr, rgb, cv::COLOR_BGR2RGB);
    put(DCM_SamplesPerPixel, 3), put(DCM_PhotometricInterpretation, std::string("RGB")), put(DCM_PlanarConfiguration, 0);
    put(DCM_Rows, static_cast<Uint16>(rgb.rows)), put(DCM_Columns, static_cast<Uint16>(rgb.cols));
    put(DCM_BitsAllocated, 8), put(DCM_BitsStored, 8), put(DCM_HighBit, 7), put(DCM_PixelRepresentation, 0);
    must(data().putAndInsertUint8Array(DCM_PixelData, rgb.data, static_cast<unsigned long>(rgb.total() * 3)), "the pixels");
  }

  void refer(int frame) {
    DcmItem *item = nullptr, *purpose = nullptr;
    must(data().findOrCreateSequenceItem(DCM_SourceImageSequence, item, -2), "a reference");
    const std::string sop_class = text_of(*source_, DCM_SOPClassUID);
    must(item->putAndInsertString(DCM_ReferencedSOPClassUID, sop_class.c_str()), "a reference");
    must(item->putAndInsertString(DCM_ReferencedSOPInstanceUID, text_of(*source_, DCM_SOPInstanceUID).c_str()), "a reference");
    if (dicom::is_multi_frame(sop_class))
      must(item->putAndInsertString(DCM_ReferencedFrameNumber, std::to_string(frame + 1).c_str()), "a reference");
    must(item->findOrCreateSequenceItem(DCM_PurposeOfReferenceCodeSequence, purpose, -2), "a reference");
    must(purpose->putAndInsertString(DCM_CodeValue, "121322"), "a reference");
    must(purpose->putAndInsertString(DCM_CodingSchemeDesignator, "DCM"), "a reference");
    must(purpose->putAndInsertString(DCM_CodeMeaning, "Source image for image processing operation"), "a reference");
  }

  void put_dates() {
    dicom::put_times(*source_, data(), dicom::ContentTime::may_be_empty, {DCM_DateOfSecondaryCapture},
                     {DCM_TimeOfSecondaryCapture});
  }

  // It must be there, if empty, unless the part of the body is known to be no one of a pair: then it must not.
  void put_laterality() {
    const std::string part = text_of(*source_, DCM_BodyPartExamined);
    if (std::find(std::begin(kUnpaired), std::end(kUnpaired), part) == std::end(kUnpaired))
      put(DCM_Laterality, text_of(*source_, DCM_Laterality));
  }

  void put_burned_in() {
    const std::string said = text_of(*source_, DCM_BurnedInAnnotation);
    ScanInfo source;
    source.format = "DICOM", source.modality = text_of(*source_, DCM_Modality);
    source.kind = dcmFindNameOfUID(text_of(*source_, DCM_SOPClassUID).c_str(), "");
    if (said == "YES" || said == "NO") source.burned_in = said == "YES";
    if (source.burned_in == true || burned_in_reason(source).empty())
      put(DCM_BurnedInAnnotation, std::string(source.burned_in == true ? "YES" : "NO"));
  }

  void save(const fs::path& file) {
    OutputFile out(file);
    must(content_.saveFile(out.temporary().c_str(), EXS_LittleEndianExplicit), "writing");
    out.keep();
  }

 private:
  DcmDataset& data() { return *content_.getDataset(); }

  std::unique_ptr<DcmDataset> source_;
  DcmFileFormat content_;
};

}  // namespace

std::string new_series_uid(const std::string& seed) { return dicom::new_uid(seed, "series"); }

void write_capture(const fs::path& file, const cv::Mat& bgr, const std::string& header, int source_frame,
                   const CaptureSeries& series, int number) {
  check(bgr.type() == CV_8UC3 && bgr.rows <= 65535 && bgr.cols <= 65535,
        "capture: expected a picture of 8 bits and 3 channels, up to 65535 pixels a side");
  dicom::start();
  Capture c(header);
  c.put(DCM_SOPClassUID, std::string(UID_SecondaryCaptureImageStorage)),
      c.put(DCM_SOPInstanceUID, dicom::new_uid(series.seed, std::to_string(number).c_str()));
  c.put(DCM_Modality, std::string("OT")), c.put(DCM_ConversionType, std::string("WSD")),
      c.put(DCM_ImageType, std::string("DERIVED\\SECONDARY"));
  c.put(DCM_Manufacturer, std::string("Fovea")), c.put(DCM_SecondaryCaptureDeviceManufacturer, std::string("Fovea"));
  c.put(DCM_SecondaryCaptureDeviceSoftwareVersions, series.software);
  c.put(DCM_SeriesInstanceUID, series.uid), c.put(DCM_SeriesNumber, std::string("1001")),
      c.put(DCM_SeriesDescription, series.description);
  c.put(DCM_InstanceNumber, std::to_string(number)), c.put(DCM_DerivationDescription, series.derivation);
  c.put_burned_in();
  c.put_dates();
  c.refer(source_frame);
  c.put_pixels(bgr);
  c.save(file);
}

}  // namespace fovea
