#include "datasets/scans/dicom_source.hpp"

#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/dcmdata/dcostrmb.h>
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "datasets/scans/pseudonyms.hpp"
#include "modules/core/error.hpp"

namespace fovea::dicom {

namespace {

constexpr std::size_t kSlack = 1 << 16;  // of a buffer for attributes

// Patient and General Study modules, and what they need to be read.
const DcmTagKey kSubject[] = {DCM_SpecificCharacterSet,
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
                              DCM_DeidentificationMethodCodeSequence,
                              DCM_LongitudinalTemporalInformationModified,
                              DCM_StudyInstanceUID,
                              DCM_StudyDate,
                              DCM_StudyTime,
                              DCM_ReferringPhysicianName,
                              DCM_StudyID,
                              DCM_AccessionNumber,
                              DCM_StudyDescription,
                              DCM_PatientAge,
                              DCM_PatientSize,
                              DCM_PatientWeight};
// Those that must be there, if empty.
const DcmTagKey kNeeded[] = {DCM_PatientName, DCM_PatientID, DCM_PatientBirthDate,       DCM_PatientSex,     DCM_StudyDate,
                             DCM_StudyTime,   DCM_StudyID,   DCM_ReferringPhysicianName, DCM_AccessionNumber};

void to_new_form(DcmElement& element, char separator) {
  OFString value, kept;
  if (element.getOFStringArray(value).bad()) return;
  for (const char c : value)
    if (c != separator) kept += c;
  if (kept != value) static_cast<void>(element.putOFStringArray(kept));
}

void mend(DcmDataset& data) {
  for (unsigned long i = data.card(); i-- > 0;) {
    DcmElement* element = data.getElement(i);
    if (element->ident() == EVR_DA) to_new_form(*element, '.');
    if (element->ident() == EVR_TM) to_new_form(*element, ':');
    if (element->checkValue("1-n").bad()) delete data.remove(i);
  }
}

}  // namespace

std::unique_ptr<DcmDataset> parse_header(const std::string& bytes) {
  auto data = std::make_unique<DcmDataset>();
  DcmInputBufferStream in;
  in.setBuffer(bytes.data(), static_cast<offile_off_t>(bytes.size()));
  in.setEos();
  data->transferInit();
  const OFCondition read = data->read(in, EXS_LittleEndianExplicit);
  data->transferEnd();
  must(read, "the source's attributes cannot be read");
  mend(*data);
  return data;
}

std::string header_bytes(DcmDataset& data) {
  const Uint32 length = data.calcElementLength(EXS_LittleEndianExplicit, EET_ExplicitLength);
  std::vector<char> bytes(static_cast<std::size_t>(length) + kSlack);
  DcmOutputBufferStream out(bytes.data(), static_cast<offile_off_t>(bytes.size()));
  data.transferInit();
  const OFCondition written = data.write(out, EXS_LittleEndianExplicit, EET_ExplicitLength, nullptr);
  data.transferEnd();
  must(written, "the source's attributes cannot be written");
  void* first = nullptr;
  offile_off_t count = 0;
  out.flushBuffer(first, count);
  return std::string(static_cast<const char*>(first), static_cast<std::size_t>(count));
}

std::string new_uid(const std::string& seed, const char* purpose) {
  if (!seed.empty()) return uid_of(sha256(seed + '\0' + purpose));
  char uid[65];
  return dcmGenerateUniqueIdentifier(uid, SITE_INSTANCE_UID_ROOT);
}

void copy_subject(DcmItem& source, DcmItem& object) {
  for (const DcmTagKey& tag : kSubject) static_cast<void>(source.findAndInsertCopyOfElement(tag, &object));
  // All text is UTF-8, that of sources without a character set is ASCII: names of classes may be neither theirs.
  if (!object.tagExists(DCM_SpecificCharacterSet))
    must(object.putAndInsertString(DCM_SpecificCharacterSet, "ISO_IR 192"), "the character set");
  for (const DcmTagKey& tag : kNeeded)
    if (!object.tagExists(tag)) must(object.insertEmptyElement(tag), "an empty attribute");
}

void copy_body_part(DcmItem& source, DcmItem& object) {
  if (const std::string said = text_of(source, DCM_BodyPartExamined); !said.empty())
    must(object.putAndInsertString(DCM_BodyPartExamined, said.c_str()), "the body part");
}

void put_times(DcmItem& source, DcmItem& object, ContentTime content, const std::vector<DcmTagKey>& dates,
               const std::vector<DcmTagKey>& times) {
  const bool removed = text_of(source, DCM_LongitudinalTemporalInformationModified) == kTimesRemoved;
  OFString date, time;
  DcmDate::getCurrentDate(date), DcmTime::getCurrentTime(time);
  if (removed) date = content == ContentTime::needed ? "19000101" : "", time = content == ContentTime::needed ? "000000" : "";
  const auto put = [&](const DcmTagKey& tag, const OFString& value) {
    must(object.putAndInsertOFStringArray(tag, value), "a date or a time");
  };
  put(DCM_ContentDate, date), put(DCM_ContentTime, time);
  for (const DcmTagKey& tag : dates) removed ? void(object.findAndDeleteElement(tag)) : put(tag, date);
  for (const DcmTagKey& tag : times) removed ? void(object.findAndDeleteElement(tag)) : put(tag, time);
}

std::string text_of(DcmItem& item, const DcmTagKey& tag) {
  OFString value;
  return item.findAndGetOFStringArray(tag, value).good() ? std::string(value.c_str(), value.length()) : std::string();
}

bool is_multi_frame(const std::string& sop_class) {
  const char* name = dcmFindNameOfUID(sop_class.c_str(), "");
  constexpr std::string_view kSeveral[] = {
      "Enhanced",          "Multiframe", "MultiFrame",    "XRayAngiographic", "XRayRadiofluoroscopic",
      "NuclearMedicine",   "RTDose",     "WholeSlide",    "Tomosynthesis",    "BreastProjection",
      "Segmentation",      "Tomography", "ParametricMap", "VideoEndoscopic",  "VideoMicroscopic",
      "VideoPhotographic", "XRay3D"};
  return std::any_of(std::begin(kSeveral), std::end(kSeveral),
                     [&](std::string_view part) { return std::string_view(name).find(part) != std::string_view::npos; });
}

std::string decimal_string(double value) {
  for (int digits = 15; digits > 1; --digits)
    if (std::string text = fmt::format("{:.{}g}", value, digits); text.size() <= 16) return text;
  fail("no decimal string of 16 characters holds ", value);
}

void must(const OFCondition& done, const char* what) { check(done.good(), "DICOM: ", what, ": ", done.text()); }

}  // namespace fovea::dicom
