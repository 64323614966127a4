#include "datasets/scans/dicom_capture.hpp"

#include <opencv2/imgproc.hpp>

#include "datasets/scans/dicom_frames.hpp"
#include "datasets/scans/dicom_source.hpp"
#include "modules/core/error.hpp"
#include "modules/io/output_file.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

using dicom::must;
using dicom::text_of;

// Patient and General Study modules, and what they need to be read.
const DcmTagKey kCopied[] = {DCM_SpecificCharacterSet,
                             DCM_PatientName,
                             DCM_PatientID,
                             DCM_IssuerOfPatientID,
                             DCM_PatientBirthDate,
                             DCM_PatientSex,
                             DCM_OtherPatientIDsSequence,
                             DCM_EthnicGroup,
                             DCM_PatientComments,
                             DCM_PatientIdentityRemoved,
                             DCM_DeidentificationMethod,
                             DCM_StudyInstanceUID,
                             DCM_StudyDate,
                             DCM_StudyTime,
                             DCM_ReferringPhysicianName,
                             DCM_StudyID,
                             DCM_AccessionNumber,
                             DCM_StudyDescription,
                             DCM_PatientAge,
                             DCM_PatientSize,
                             DCM_PatientWeight,
                             DCM_BodyPartExamined,
                             DCM_Laterality};
// Those that must be there, if empty.
const DcmTagKey kNeeded[] = {
    DCM_PatientName, DCM_PatientID,  DCM_PatientBirthDate,       DCM_PatientSex,      DCM_StudyDate,         DCM_StudyTime,
    DCM_StudyID,     DCM_Laterality, DCM_ReferringPhysicianName, DCM_AccessionNumber, DCM_PatientOrientation};

class Capture {
 public:
  Capture(const std::string& header) : source_(dicom::parse_header(header)) {
    check(!text_of(*source_, DCM_SOPInstanceUID).empty() && !text_of(*source_, DCM_StudyInstanceUID).empty(),
          "DICOM: nothing can refer to a source without unique identifiers");
    for (const DcmTagKey& tag : kCopied) static_cast<void>(source_->findAndInsertCopyOfElement(tag, &data()));
    for (const DcmTagKey& tag : kNeeded)
      if (!data().tagExists(tag)) must(data().insertEmptyElement(tag), "an empty attribute");
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

  // Of the moment.
  void put_dates() {
    OFString date, time;
    DcmDate::getCurrentDate(date), DcmTime::getCurrentTime(time);
    for (const DcmTagKey& tag : {DCM_ContentDate, DCM_DateOfSecondaryCapture}) put(tag, date.c_str());
    for (const DcmTagKey& tag : {DCM_ContentTime, DCM_TimeOfSecondaryCapture}) put(tag, time.c_str());
  }

  std::string said(const DcmTagKey& tag) const { return text_of(*source_, tag); }

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

std::string new_series_uid() { return dicom::new_uid(); }

void write_capture(const fs::path& file, const cv::Mat& bgr, const std::string& header, int source_frame,
                   const CaptureSeries& series, int number) {
  check(bgr.type() == CV_8UC3 && bgr.rows <= 65535 && bgr.cols <= 65535,
        "capture: expected a picture of 8 bits and 3 channels, up to 65535 pixels a side");
  dicom::start();
  Capture c(header);
  c.put(DCM_SOPClassUID, std::string(UID_SecondaryCaptureImageStorage)), c.put(DCM_SOPInstanceUID, dicom::new_uid());
  c.put(DCM_Modality, std::string("OT")), c.put(DCM_ConversionType, std::string("WSD")),
      c.put(DCM_ImageType, std::string("DERIVED\\SECONDARY"));
  c.put(DCM_Manufacturer, std::string("Fovea")), c.put(DCM_SecondaryCaptureDeviceManufacturer, std::string("Fovea"));
  c.put(DCM_SecondaryCaptureDeviceSoftwareVersions, series.software);
  c.put(DCM_SeriesInstanceUID, series.uid), c.put(DCM_SeriesNumber, std::string("1001")),
      c.put(DCM_SeriesDescription, series.description);
  c.put(DCM_InstanceNumber, std::to_string(number)), c.put(DCM_DerivationDescription, series.derivation);
  c.put(DCM_BurnedInAnnotation, c.said(DCM_BurnedInAnnotation) == "YES" ? std::string("YES") : std::string("NO"));
  c.put_dates();
  c.refer(source_frame);
  c.put_pixels(bgr);
  c.save(file);
}

}  // namespace fovea
