// Segmentation objects: what is written lies where it lay, names its sources, and belongs to their patient and study.
#include "datasets/scans/dicom_segmentation.hpp"

#include <cmath>

#include "datasets/scans/header.hpp"
#include "datasets/scans/image_stack.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/dicom.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

constexpr const char* kOblique = "0.8\\0.6\\0\\0\\0\\-1";
const ClassCodes kVessel{{"123037004", "SCT", "Anatomical Structure"}, {"59820001", "SCT", "Blood vessel"}};

struct Sources {
  std::vector<std::filesystem::path> files;
  std::vector<SourceFrame> frames;
  std::unique_ptr<ImageStack> stack;
};

Sources make_sources(const Folder& folder, int count, bool placed, bool spaced = true) {
  Sources s;
  for (int i = 0; i < count; ++i) {
    DicomFile file(4, 6, counting(24, i));
    file.put(DCM_Modality, "MR")
        .put(DCM_SeriesInstanceUID, "1.2.3.4")
        .put(DCM_StudyInstanceUID, "1.2.3")
        .put(DCM_SOPInstanceUID, "1.2.3.4." + std::to_string(i + 1));
    file.put(DCM_SOPClassUID, UID_MRImageStorage)
        .put(DCM_PatientName, "Some^Body")
        .put(DCM_PatientID, "P1")
        .put(DCM_StudyDate, "1997.04.24")
        .put(DCM_StudyTime, "14:04:38")
        .put(DCM_Laterality, "");
    if (spaced) file.put(DCM_PixelSpacing, "0.75\\0.625").put(DCM_SliceThickness, "2.5");
    if (placed) file.put(DCM_FrameOfReferenceUID, "1.2.9").place(-20.1234567 - 1.5 * i, 30.7654321 + 2.0 * i, 100.5, kOblique);
    s.files.push_back(folder / ("s" + std::to_string(i) + ".dcm"));
    file.save(s.files.back());
  }
  s.stack = std::make_unique<ImageStack>(s.files, std::nullopt, ImageStack::Options{});
  for (int i = 0; i < s.stack->size(); ++i)
    s.frames.push_back({read_header(s.stack->slice(i).file), s.stack->slice(i).frame, s.stack->slice(i).about});
  return s;
}

cv::Mat mask_with(std::initializer_list<cv::Point> pixels, int value = 255) {
  cv::Mat m = cv::Mat::zeros(4, 6, CV_8U);
  for (const cv::Point& p : pixels) m.at<std::uint8_t>(p) = static_cast<std::uint8_t>(value);
  return m;
}

DcmDataset& data_of(DcmFileFormat& content, const std::filesystem::path& file) {
  REQUIRE(content.loadFile(file.c_str()).good());
  return *content.getDataset();
}

std::string text(DcmItem& item, const DcmTagKey& tag) {
  OFString value;
  item.findAndGetOFStringArray(tag, value);
  return value.c_str();
}

}  // namespace

TEST_CASE("scans: segmentation: geometry, pixels, sources and study come back", "[scans]") {
  const Folder folder;
  const Sources s = make_sources(folder, 3, true);
  const std::vector<cv::Mat> vessel{mask_with({{1, 2}}), mask_with({{5, 3}, {0, 0}}), mask_with({})},
      other{mask_with({}), mask_with({{2, 1}}), mask_with({{3, 3}})};
  write_segmentation(folder / "seg.dcm", s.frames,
                     {{"vessel", kVessel}, {"other", {{"85756007", "SCT", "Tissue"}, {"OTHER", "99FOVEA", "other"}}}},
                     {vessel, other}, {.algorithm = "net", .description = "Research use only", .software = "1"});
  const auto scan = open_scan(folder / "seg.dcm");
  REQUIRE(scan->info().frames == 4);  // empty masks are left out
  CHECK(scan->info().frame_of_reference == "1.2.9");
  const std::vector<std::pair<const cv::Mat*, int>> want{{&vessel[0], 0}, {&vessel[1], 1}, {&other[1], 1}, {&other[2], 2}};
  for (int i = 0; i < 4; ++i) {
    const auto& [mask, source] = want[static_cast<std::size_t>(i)];
    cv::Mat got;
    scan->frame(i).convertTo(got, CV_8U, 255);
    CHECK(cv::countNonZero(got != *mask) == 0);
    const FrameInfo about = scan->frame_info(i), &from = s.stack->slice(source).about;
    REQUIRE((about.plane && about.spacing));
    for (const cv::Point& p : {cv::Point(0, 0), cv::Point(5, 3)}) {
      const Vec3 a = about.plane->at(p.x, p.y, *about.spacing), b = from.plane->at(p.x, p.y, *from.spacing);
      for (std::size_t k = 0; k < 3; ++k) CHECK(std::abs(a[k] - b[k]) < 1e-4);
    }
  }
  DcmFileFormat content;
  DcmDataset& data = data_of(content, folder / "seg.dcm");
  CHECK(text(data, DCM_PatientName) == "Some^Body");
  CHECK(text(data, DCM_StudyInstanceUID) == "1.2.3");
  CHECK(text(data, DCM_StudyDate) == "19970424");
  CHECK(text(data, DCM_StudyTime) == "140438");
  CHECK(text(data, DCM_SeriesInstanceUID) != "1.2.3.4");
  CHECK(text(data, DCM_SegmentationType) == "BINARY");
  CHECK_FALSE(data.tagExists(DCM_Laterality));  // an empty one is an error in objects without paired parts
  DcmItem *segment = nullptr, *item = nullptr, *frame = nullptr, *derivation = nullptr, *source = nullptr;
  REQUIRE(data.findAndGetSequenceItem(DCM_SegmentSequence, segment, 0).good());
  REQUIRE(segment->findAndGetSequenceItem(DCM_SegmentedPropertyTypeCodeSequence, item).good());
  CHECK(text(*item, DCM_CodeValue) == "59820001");
  REQUIRE(data.findAndGetSequenceItem(DCM_PerFrameFunctionalGroupsSequence, frame, 1).good());
  REQUIRE(frame->findAndGetSequenceItem(DCM_DerivationImageSequence, derivation).good());
  REQUIRE(derivation->findAndGetSequenceItem(DCM_SourceImageSequence, source).good());
  CHECK(text(*source, DCM_ReferencedSOPInstanceUID) == "1.2.3.4.2");
  REQUIRE(data.findAndGetSequenceItem(DCM_ReferencedSeriesSequence, item).good());
  CHECK(text(*item, DCM_SeriesInstanceUID) == "1.2.3.4");
  CHECK(item->findAndGetSequenceItem(DCM_ReferencedInstanceSequence, source, 2).good());
}

TEST_CASE("scans: segmentation: probabilities", "[scans]") {
  const Folder folder;
  const Sources s = make_sources(folder, 1, true);
  cv::Mat p(4, 6, CV_8U);
  for (int i = 0; i < 24; ++i) p.ptr(0)[i] = static_cast<std::uint8_t>(10 * i);
  write_segmentation(folder / "seg.dcm", s.frames, {{"vessel", kVessel}}, {{p}},
                     {.fractional = true, .algorithm = "net", .description = "d", .software = "1"});
  cv::Mat got;
  open_scan(folder / "seg.dcm")->frame(0).convertTo(got, CV_8U);
  CHECK(cv::countNonZero(got != p) == 0);
  DcmFileFormat content;
  DcmDataset& data = data_of(content, folder / "seg.dcm");
  CHECK(text(data, DCM_SegmentationFractionalType) == "PROBABILITY");
  CHECK(text(data, DCM_MaximumFractionalValue) == "255");
}

TEST_CASE("scans: segmentation: without a frame of reference nothing is made up", "[scans]") {
  const Folder folder;
  for (const bool spaced : {false, true}) {
    const Sources s = make_sources(folder, 1, false, spaced);
    write_segmentation(folder / "seg.dcm", s.frames, {{"vessel", kVessel}}, {{mask_with({{1, 1}})}},
                       {.algorithm = "net", .description = "d", .software = "1"});
    DcmFileFormat content;
    DcmDataset& data = data_of(content, folder / "seg.dcm");
    for (const DcmTagKey& tag : {DCM_FrameOfReferenceUID, DCM_ImagePositionPatient, DCM_ImageOrientationPatient})
      CHECK_FALSE(data.tagExists(tag, OFTrue));
    CHECK(data.tagExists(DCM_PixelSpacing, OFTrue) == spaced);
    CHECK(data.tagExists(DCM_PatientOrientation));  // which may be empty, but must be there
  }
}

TEST_CASE("scans: segmentation: nothing found is an object, too; what no object can be made of is refused", "[scans]") {
  const Folder folder;
  Sources s = make_sources(folder, 2, true);
  write_segmentation(folder / "seg.dcm", s.frames, {{"vessel", kVessel}}, {{mask_with({}), mask_with({})}},
                     {.algorithm = "net", .description = "d", .software = "1"});
  CHECK(open_scan(folder / "seg.dcm")->info().frames == 1);
  CHECK(fails_with(
      [&] {
        write_segmentation(folder / "x.dcm", s.frames, {{"vessel", kVessel}}, {{mask_with({})}}, {});
      },
      "a mask of 8 bits for each of 2 sources"));
  DicomFile nameless(4, 6, counting(24));
  nameless.put(DCM_SOPClassUID, UID_MRImageStorage).save(folder / "n.dcm");
  SourceFrame source{read_header(folder / "n.dcm"), 0, {}};
  CHECK(fails_with(
      [&] {
        write_segmentation(folder / "x.dcm", {source}, {{"vessel", kVessel}}, {{mask_with({})}},
                           {.algorithm = "n", .description = "d", .software = "1"});
      },
      "unique identifiers"));
  CHECK_FALSE(std::filesystem::exists(folder / "x.dcm"));
}

TEST_CASE("scans: a header has no pixels, no private attributes, and nothing long", "[scans]") {
  const Folder folder;
  DicomFile file(64, 64, counting(4096));
  file.put(DCM_PatientName, "Some^Body");
  auto* own = new DcmLongString(DcmTag(0x0009, 0x1001, EVR_LO));
  REQUIRE(own->putString("private").good());
  REQUIRE(file.data().insert(own).good());
  file.save(folder / "a.dcm");
  const std::string header = read_header(folder / "a.dcm");
  CHECK(header.find("Some^Body") != std::string::npos);
  CHECK(header.find("private") == std::string::npos);
  CHECK(header.size() < 2000);
  CHECK(fails_with([&] { read_header(folder / "none.dcm"); }, ""));
}
