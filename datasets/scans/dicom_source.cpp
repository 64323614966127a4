#include "datasets/scans/dicom_source.hpp"

#include <dcmtk/dcmdata/dcistrmb.h>
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "modules/core/error.hpp"

namespace fovea::dicom {

namespace {

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

std::string new_uid() {
  char uid[65];
  return dcmGenerateUniqueIdentifier(uid, SITE_INSTANCE_UID_ROOT);
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
