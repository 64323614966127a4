// Secondary captures: what they say of text in their pixels and of the side of the body.
#include "datasets/scans/dicom_capture.hpp"

#include "datasets/scans/header.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/dicom.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

// Of the attributes that the source has.
struct Captured {
  DcmFileFormat content;

  Captured(const Folder& folder, const std::vector<std::pair<DcmTagKey, std::string>>& attributes, const std::string& seed = {}) {
    DicomFile file(4, 6, counting(24));
    file.put(DCM_SOPClassUID, UID_MRImageStorage).put(DCM_Modality, "MR").put(DCM_StudyInstanceUID, "1.2.3");
    for (const auto& [tag, value] : attributes) file.put(tag, value);
    file.save(folder / "s.dcm");
    const cv::Mat drawn(8, 10, CV_8UC3, cv::Scalar(1, 2, 3));
    const CaptureSeries series{new_series_uid(seed), "Research use only", "1", "net", seed};
    write_capture(folder / "c.dcm", drawn, read_header(folder / "s.dcm"), 0, series, 1);
    REQUIRE(content.loadFile((folder / "c.dcm").c_str()).good());
  }
  bool has(const DcmTagKey& tag) { return content.getDataset()->tagExists(tag); }
  std::string of(const DcmTagKey& tag) {
    OFString value;
    content.getDataset()->findAndGetOFString(tag, value);
    return value.c_str();
  }
};

}  // namespace

TEST_CASE("scans: capture: text burned in is claimed and denied only where the source lets it", "[scans]") {
  const Folder folder;
  CHECK(Captured(folder, {}).of(DCM_BurnedInAnnotation) == "NO");
  CHECK(Captured(folder, {{DCM_BurnedInAnnotation, "YES"}}).of(DCM_BurnedInAnnotation) == "YES");
  CHECK(Captured(folder, {{DCM_Modality, "US"}, {DCM_BurnedInAnnotation, "NO"}}).of(DCM_BurnedInAnnotation) == "NO");
  CHECK_FALSE(Captured(folder, {{DCM_Modality, "US"}}).has(DCM_BurnedInAnnotation));
  CHECK_FALSE(Captured(folder, {{DCM_SOPClassUID, UID_SecondaryCaptureImageStorage}}).has(DCM_BurnedInAnnotation));
}

TEST_CASE("scans: capture: a side is said of what may have two", "[scans]") {
  const Folder folder;
  CHECK(Captured(folder, {{DCM_BodyPartExamined, "KNEE"}, {DCM_Laterality, "L"}}).of(DCM_Laterality) == "L");
  CHECK(Captured(folder, {{DCM_BodyPartExamined, "KNEE"}}).has(DCM_Laterality));
  CHECK(Captured(folder, {}).has(DCM_Laterality));
  CHECK_FALSE(Captured(folder, {{DCM_BodyPartExamined, "HEAD"}, {DCM_Laterality, ""}}).has(DCM_Laterality));
}

TEST_CASE("scans: capture: with a seed it has the same identifiers each time", "[scans]") {
  const Folder folder;
  const auto instance = [&](const char* seed) { return Captured(folder, {}, seed).of(DCM_SOPInstanceUID); };
  CHECK(instance("a") == instance("a"));
  CHECK(instance("a") != instance("b"));
  CHECK(instance("") != instance(""));
}
