// Names that stand for others, and headers without whom they are about.
#include "datasets/scans/deidentify.hpp"

#include "datasets/scans/burned_in.hpp"
#include "datasets/scans/dicom_source.hpp"
#include "datasets/scans/header.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/dicom.hpp"

using namespace fovea;
using namespace fovea::test;
using fovea::dicom::text_of;

namespace {

const Pseudonyms kOurs("secret");

DicomFile patient_file(const std::string& id, const std::string& instance) {
  DicomFile file(4, 6, counting(24));
  file.put(DCM_SOPClassUID, UID_MRImageStorage).put(DCM_Modality, "MR").put(DCM_SOPInstanceUID, instance);
  file.put(DCM_StudyInstanceUID, "1.2.3").put(DCM_SeriesInstanceUID, "1.2.3.4").put(DCM_FrameOfReferenceUID, "1.2.9");
  file.put(DCM_PatientName, "Some^Body").put(DCM_PatientID, id).put(DCM_PatientBirthDate, "19700131").put(DCM_PatientSex, "F");
  file.put(DCM_StudyDate, "20240229").put(DCM_StudyTime, "101500").put(DCM_AccessionNumber, "A4711").put(DCM_StudyID, "S4711");
  file.put(DCM_StudyDescription, "of Some Body")
      .put(DCM_InstitutionName, "Hospital")
      .put(DCM_ReferringPhysicianName, "Who^Doctor");
  file.put(DCM_BodyPartExamined, "HEART").put(DCM_SliceThickness, "2.5");
  return file;
}

std::unique_ptr<DcmDataset> without_names(const Folder& folder, DicomFile file) {
  file.save(folder / "a.dcm");
  return dicom::parse_header(deidentified(read_header(folder / "a.dcm"), kOurs));
}

ScanInfo scan(const std::string& modality, const std::string& kind, std::optional<bool> burned_in) {
  ScanInfo info;
  info.format = "DICOM", info.modality = modality, info.kind = kind, info.burned_in = burned_in;
  return info;
}

}  // namespace

TEST_CASE("pseudonyms: the same for the same secret, others for another one", "[scans]") {
  const Pseudonyms same("secret"), other("another secret");
  CHECK(kOurs.id("file", "a").size() == 16);
  CHECK(kOurs.id("file", "a") == same.id("file", "a"));
  CHECK(kOurs.id("file", "a") != other.id("file", "a"));
  CHECK(kOurs.id("file", "a") != kOurs.id("patient", "a"));
  CHECK(kOurs.uid("1.2.3") == same.uid("1.2.3"));
  CHECK(kOurs.uid("1.2.3") != other.uid("1.2.3"));
  CHECK(kOurs.uid("1.2.3") != kOurs.uid("1.2.4"));
}

TEST_CASE("pseudonyms: unique identifiers are as the standard says", "[scans]") {
  for (int i = 0; i < 200; ++i) {
    const std::string uid = kOurs.uid(std::to_string(i));
    CHECK(uid.starts_with("2.25."));
    CHECK(uid.size() <= 44);
    CHECK(uid[5] != '0');
    CHECK(uid.find_first_not_of("0123456789.") == std::string::npos);
  }
  CHECK(uid_of(Sha256{}) == "2.25.604472133179351442128896");  // 2^79 + 2^63: the version's and the variant's bits alone
}

TEST_CASE("deidentify: nothing of the patient and the study is left, and what belongs together stays together", "[scans]") {
  const Folder folder;
  const auto one = without_names(folder, patient_file("P1", "1.2.3.4.1")),
             two = without_names(folder, patient_file("P1", "1.2.3.4.2"));
  const auto other = without_names(folder, patient_file("P2", "1.2.3.4.3"));
  const std::string bytes = dicom::header_bytes(*one);
  for (const char* secret : {"Some", "Body", "P1", "1970", "2024", "1015", "4711", "Hospital", "Doctor", "1.2.3", "1.2.9"})
    CHECK(bytes.find(secret) == std::string::npos);
  CHECK(text_of(*one, DCM_PatientID) == text_of(*two, DCM_PatientID));
  CHECK(text_of(*one, DCM_PatientID) != text_of(*other, DCM_PatientID));
  CHECK(text_of(*one, DCM_PatientName) == text_of(*one, DCM_PatientID));
  for (const DcmTagKey& tag : {DCM_StudyInstanceUID, DCM_SeriesInstanceUID, DCM_FrameOfReferenceUID})
    CHECK(text_of(*one, tag) == text_of(*two, tag));
  CHECK(text_of(*one, DCM_SOPInstanceUID) == kOurs.uid("1.2.3.4.1"));
  CHECK(text_of(*one, DCM_SOPInstanceUID) != text_of(*two, DCM_SOPInstanceUID));
  CHECK(text_of(*one, DCM_PatientIdentityRemoved) == "YES");
  CHECK(text_of(*one, DCM_LongitudinalTemporalInformationModified) == "REMOVED");
  CHECK(text_of(*one, DCM_DeidentificationMethod).size() <= 64);
  DcmItem* code = nullptr;
  REQUIRE(one->findAndGetSequenceItem(DCM_DeidentificationMethodCodeSequence, code).good());
  CHECK(text_of(*code, DCM_CodeValue) == "113100");
  CHECK(text_of(*one, DCM_BodyPartExamined) == "HEART");
  CHECK(text_of(*one, DCM_SliceThickness) == "2.5");
}

TEST_CASE("deidentify: patients without a number are told apart by their names, and those without either by their studies",
          "[scans]") {
  const Folder folder;
  const auto id_of = [&](const char* name, const char* study) {
    DicomFile file = patient_file("", "1.2.3.4.1");
    return text_of(*without_names(folder, file.put(DCM_PatientName, name).put(DCM_StudyInstanceUID, study)), DCM_PatientID);
  };
  CHECK(id_of("Some^Body", "1.2.3") == id_of("Some^Body", "1.2.5"));
  CHECK(id_of("Some^Body", "1.2.3") != id_of("Other^Body", "1.2.3"));
  CHECK(id_of("", "1.2.3") != id_of("", "1.2.5"));
}

TEST_CASE("deidentify: an object of a source without times tells no time", "[scans]") {
  const Folder folder;
  const auto source = without_names(folder, patient_file("P1", "1.2.3.4.1"));
  DcmDataset object;
  dicom::copy_subject(*source, object);
  dicom::put_times(*source, object, dicom::ContentTime::needed, {DCM_SeriesDate}, {DCM_SeriesTime});
  CHECK(text_of(object, DCM_ContentDate) == "19000101");
  CHECK_FALSE(object.tagExists(DCM_SeriesDate));
  CHECK(object.tagExists(DCM_StudyDate));
  CHECK(text_of(object, DCM_StudyDate).empty());
  dicom::put_times(*source, object, dicom::ContentTime::may_be_empty, {}, {});
  CHECK(text_of(object, DCM_ContentDate).empty());
  DcmDataset plain;
  dicom::put_times(plain, object, dicom::ContentTime::needed, {DCM_SeriesDate}, {});
  CHECK(text_of(object, DCM_ContentDate) > "2020");
  CHECK(text_of(object, DCM_SeriesDate) == text_of(object, DCM_ContentDate));
}

TEST_CASE("burned in: what may show a name", "[scans]") {
  const std::string ct = "CTImageStorage", us = "UltrasoundMultiframeImageStorage", sc = "SecondaryCaptureImageStorage";
  CHECK_FALSE(burned_in_reason(scan("CT", ct, true)).empty());
  CHECK(burned_in_reason(scan("CT", ct, {})).empty());
  for (const auto& [modality, kind] :
       {std::pair{"US", ct}, {"MR", us}, {"CT", sc}, {"OT", ct}, {"US", std::string("EnhancedUSVolumeStorage")}}) {
    CHECK_FALSE(burned_in_reason(scan(modality, kind, {})).empty());
    CHECK(burned_in_reason(scan(modality, kind, false)).empty());
    CHECK_FALSE(burned_in_reason(scan(modality, kind, true)).empty());
  }
  ScanInfo nifti = scan("OT", "", {});
  nifti.format = "NIfTI-1";
  CHECK(burned_in_reason(nifti).empty());
}
