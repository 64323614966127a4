#include "datasets/scans/deidentify.hpp"

#include "datasets/scans/dicom_frames.hpp"
#include "datasets/scans/dicom_source.hpp"

namespace fovea {
namespace {

using dicom::must;
using dicom::text_of;

// What table E.1-1 does not name and the writers need.
const DcmTagKey kKept[] = {DCM_SOPClassUID, DCM_Modality,           DCM_BodyPartExamined, DCM_Laterality,
                           DCM_ImageType,   DCM_PatientOrientation, DCM_SliceThickness,   DCM_BurnedInAnnotation};
const DcmTagKey kIdentifiers[] = {DCM_SOPInstanceUID, DCM_StudyInstanceUID, DCM_SeriesInstanceUID, DCM_FrameOfReferenceUID};

constexpr const char* kMethod = "DICOM PS3.15 Basic Application Confidentiality Profile";

// Whom it shows, in words that are the same in all files of theirs.
std::string patient_of(DcmItem& source) {
  if (const std::string id = text_of(source, DCM_PatientID); !id.empty())
    return "id" + id + '\0' + text_of(source, DCM_IssuerOfPatientID);
  if (const std::string name = text_of(source, DCM_PatientName); !name.empty())
    return "name" + name + '\0' + text_of(source, DCM_PatientBirthDate);
  return "study" + text_of(source, DCM_StudyInstanceUID);
}

void put(DcmItem& item, const DcmTagKey& tag, const std::string& value) {
  must(item.putAndInsertString(tag, value.c_str()), "an attribute");
}

void put_method(DcmItem& to) {
  put(to, DCM_PatientIdentityRemoved, "YES");
  put(to, DCM_DeidentificationMethod, kMethod);
  DcmItem* code = nullptr;
  must(to.findOrCreateSequenceItem(DCM_DeidentificationMethodCodeSequence, code, -2), "the method's code");
  put(*code, DCM_CodeValue, "113100");
  put(*code, DCM_CodingSchemeDesignator, "DCM");
  put(*code, DCM_CodeMeaning, "Basic Application Confidentiality Profile");
  put(to, DCM_LongitudinalTemporalInformationModified, dicom::kTimesRemoved);
}

}  // namespace

std::string deidentified(const std::string& header, const Pseudonyms& pseudonyms) {
  dicom::start();
  const auto source = dicom::parse_header(header);
  DcmDataset out;
  for (const DcmTagKey& tag : kKept) static_cast<void>(source->findAndInsertCopyOfElement(tag, &out));
  for (const DcmTagKey& tag : kIdentifiers)
    if (const std::string uid = text_of(*source, tag); !uid.empty()) put(out, tag, pseudonyms.uid(uid));
  const std::string patient = "patient-" + pseudonyms.id("patient", patient_of(*source));
  put(out, DCM_PatientName, patient);
  put(out, DCM_PatientID, patient);
  put_method(out);
  return dicom::header_bytes(out);
}

}  // namespace fovea
