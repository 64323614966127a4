// Measurement reports: read back by dcmtk's own reader of structured reports.
#include "datasets/scans/dicom_report.hpp"

#include "datasets/scans/header.hpp"
#include "datasets/scans/image_stack.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/dicom.hpp"
#include "tests/support/errors.hpp"

#include <dcmtk/dcmsr/dsrdoc.h>

using namespace fovea;
using namespace fovea::test;

namespace {

const ClassCodes kVessel{{"123037004", "SCT", "Anatomical Structure"}, {"59820001", "SCT", "Blood vessel"}};
const CodedMeasure kVolume{{"118565006", "SCT", "Volume"}, {}, 12.5, {"mm3", "UCUM", "Cubic millimeter"}};
const CodedMeasure kMean{{"112031", "DCM", "Attenuation Coefficient"}, Code{"373098007", "SCT", "Mean"}, 40, ucum_unit("HU")};

std::vector<SourceFrame> make_sources(const Folder& folder, int count) {
  std::vector<SourceFrame> sources;
  for (int i = 0; i < count; ++i) {
    DicomFile file(4, 6, counting(24, i));
    file.put(DCM_Modality, "CT")
        .put(DCM_SOPClassUID, UID_CTImageStorage)
        .put(DCM_SOPInstanceUID, "1.2.3.4." + std::to_string(i + 1));
    file.put(DCM_StudyInstanceUID, "1.2.3").put(DCM_SeriesInstanceUID, "1.2.3.4");
    file.put(DCM_PatientName, "Some^Body").put(DCM_PatientID, "P1").put(DCM_StudyDate, "20240229");
    file.save(folder / "s.dcm");
    sources.push_back({read_header(folder / "s.dcm"), 0, {}});
  }
  return sources;
}

struct Read {
  DcmFileFormat content;
  DSRDocument document;
  std::string text;  // all of it, for people

  explicit Read(const std::filesystem::path& file) {
    REQUIRE(content.loadFile(file.c_str()).good());
    REQUIRE(document.read(*content.getDataset()).good());
    std::ostringstream out;
    REQUIRE(
        document
            .print(out, DSRTypes::PF_printTemplateIdentification | DSRTypes::PF_printAllCodes | DSRTypes::PF_printSOPInstanceUID)
            .good());
    text = out.str();
  }
  bool says(const std::string& what) const { return text.find(what) != std::string::npos; }
  std::string of(const DcmTagKey& tag) {
    OFString value;
    content.getDataset()->findAndGetOFString(tag, value);
    return value.c_str();
  }
};

MeasurementReportOptions options(std::optional<WrittenObject> segmentation = {}) {
  return {"net", "Research use only", "1", "", std::move(segmentation)};
}

}  // namespace

TEST_CASE("scans: report: measurements of a volume refer to a segment", "[scans]") {
  const Folder folder;
  const auto sources = make_sources(folder, 3);
  const CodedFinding vessel{"vessel", kVessel, {kVolume, kMean}, {1, 2}};
  write_measurement_report(folder / "r.dcm", sources, {vessel}, options(WrittenObject{"1.2.8", "1.2.8.1", {1}}));
  Read r(folder / "r.dcm");
  CHECK(r.of(DCM_SOPClassUID) == UID_ComprehensiveSRStorage);
  CHECK(r.of(DCM_PatientName) == "Some^Body");
  CHECK(r.of(DCM_StudyInstanceUID) == "1.2.3");
  CHECK(r.of(DCM_StudyDate) == "20240229");
  CHECK(r.of(DCM_SeriesInstanceUID) != "1.2.3.4");
  CHECK(r.of(DCM_SeriesDescription) == "Research use only");
  for (const char* said : {"Imaging Measurement Report", "TID 1500", "TID 1411", "Blood vessel", "Device Observer UID", "1.2.8.1",
                           "CT unspecified body region", "Cubic millimeter", "12.5", "Hounsfield unit", "Mean"}) {
    INFO(said << "\n" << r.text);
    CHECK(r.says(said));
  }
}

TEST_CASE("scans: report: of one picture to its frame, without a segmentation to the pictures", "[scans]") {
  const Folder folder;
  const CodedFinding vessel{"vessel", kVessel, {kVolume}, {0}}, nothing{"other", kVessel, {kVolume}, {}};
  write_measurement_report(folder / "r.dcm", make_sources(folder, 1), {nothing, vessel},
                           options(WrittenObject{"1.2.8", "1.2.8.1", {0, 1}}));
  Read planar(folder / "r.dcm");
  CHECK(planar.says("TID 1410"));
  CHECK(planar.says("TID 1501"));  // what was not found has no frame
  CHECK(planar.says("Referenced Segmentation Frame"));
  write_measurement_report(folder / "r.dcm", make_sources(folder, 3), {vessel}, options());
  Read plain(folder / "r.dcm");
  CHECK(plain.says("TID 1501"));
  CHECK(plain.says("Source of Measurement"));
  CHECK(plain.says("1.2.3.4.1"));
  CHECK_FALSE(plain.says("1.2.8"));
}

TEST_CASE("scans: report: of doses of radiotherapy, too", "[scans]") {
  const Folder folder;
  DicomFile file(4, 6, counting(24));
  file.put(DCM_Modality, "RTDOSE").put(DCM_SOPClassUID, UID_RTDoseStorage).put(DCM_SOPInstanceUID, "1.2.3.4.1");
  file.put(DCM_StudyInstanceUID, "1.2.3").put(DCM_SeriesInstanceUID, "1.2.3.4").save(folder / "d.dcm");
  const std::string header = read_header(folder / "d.dcm");
  write_measurement_report(folder / "r.dcm", {{header, 0, {}}, {header, 1, {}}}, {{"v", kVessel, {kVolume}, {1}}}, options());
  DcmFileFormat content;
  REQUIRE(content.loadFile((folder / "r.dcm").c_str()).good());
  OFString frame;
  REQUIRE(content.getDataset()->findAndGetOFString(DCM_ReferencedFrameNumber, frame, 0, OFTrue).good());
  CHECK(frame == "2");
}

TEST_CASE("scans: report: with a seed it has the same identifiers each time", "[scans]") {
  const Folder folder;
  const auto sources = make_sources(folder, 1);
  const CodedFinding vessel{"vessel", kVessel, {kVolume}, {0}};
  const auto instance = [&](const char* seed) {
    MeasurementReportOptions o = options();
    o.seed = seed;
    write_measurement_report(folder / "r.dcm", sources, {vessel}, o);
    return Read(folder / "r.dcm").of(DCM_SOPInstanceUID);
  };
  CHECK(instance("a") == instance("a"));
  CHECK(instance("a") != instance("b"));
  CHECK(instance("") != instance(""));
}

TEST_CASE("scans: report: what nothing can refer to is refused", "[scans]") {
  const Folder folder;
  DicomFile(4, 6, counting(24)).save(folder / "n.dcm");
  const SourceFrame source{read_header(folder / "n.dcm"), 0, {}};
  CHECK(fails_with(
      [&] {
        write_measurement_report(folder / "r.dcm", {source}, {{"v", kVessel, {kVolume}, {0}}}, options());
      },
      "unique identifiers"));
  CHECK_FALSE(std::filesystem::exists(folder / "r.dcm"));
}

TEST_CASE("scans: report: units as UCUM has them", "[scans]") {
  CHECK(ucum_unit("HU").value == "[hnsf'U]");
  CHECK(ucum_unit("BQML").value == "Bq/ml");
  CHECK(ucum_unit("").value == "1");
  CHECK(ucum_unit("ODD").value == "{ODD}");
  CHECK(ucum_unit("much too long a unit").value == "1");
  CHECK(ucum_unit("a b").value == "1");
}
