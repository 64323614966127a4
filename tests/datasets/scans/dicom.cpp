// DICOM files of every kind, made here: values are what was put in, whatever the transfer syntax.
#include <cmath>
#include <fstream>

#include "datasets/scans/scan.hpp"
#include "datasets/scans/window.hpp"
#include "modules/io/files.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/dicom.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/fuzz.hpp"

using namespace fovea;
using test::counting;
using test::DicomFile;

namespace {

float value(const cv::Mat& m, int row, int column) { return m.at<float>(row, column); }

// Signed values of 12 bits in words of 16, whose other bits are rubbish.
std::vector<Uint16> signed_12(int count) {
  std::vector<Uint16> words;
  for (int i = 0; i < count; ++i) words.push_back(static_cast<Uint16>(((i * 37 - 900) & 0xfff)));
  return words;
}

}  // namespace

TEST_CASE("scans: dicom: signed values and their units through every transfer syntax", "[scans]") {
  test::Folder dir;
  const int rows = 9, columns = 13;
  const E_TransferSyntax syntaxes[] = {
      EXS_LittleEndianImplicit, EXS_LittleEndianExplicit, EXS_BigEndianExplicit, EXS_DeflatedLittleEndianExplicit,
      EXS_RLELossless,          EXS_JPEGProcess14,        EXS_JPEGProcess14SV1};
  for (const E_TransferSyntax syntax : syntaxes) {
    INFO(DcmXfer(syntax).getXferName());
    DicomFile file(rows, columns, signed_12(rows * columns));
    file.put(DCM_BitsStored, 12).put(DCM_HighBit, 11).put(DCM_PixelRepresentation, 1);
    file.put(DCM_Modality, "CT")
        .put(DCM_RescaleSlope, "0.5")
        .put(DCM_RescaleIntercept, "-1024")
        .put(DCM_PixelSpacing, "0.7\\0.6");
    file.save(dir / "a", syntax);
    const auto scan = open_scan(dir / "a");
    CHECK(scan->info().transfer_syntax == DcmXfer(syntax).getXferName());
    CHECK(scan->info().unit == "HU");
    CHECK(scan->info().is_signed);
    const cv::Mat frame = scan->frame(0);
    REQUIRE(frame.type() == CV_32FC1);
    REQUIRE(frame.size() == cv::Size(columns, rows));
    int wrong = 0;
    for (int i = 0; i < rows * columns; ++i) {
      const int bits = (i * 37 - 900) & 0xfff, stored = bits >= 2048 ? bits - 4096 : bits;
      wrong += value(frame, i / columns, i % columns) != static_cast<float>(stored * 0.5 - 1024);
    }
    CHECK(wrong == 0);
    const auto spacing = scan->frame_info(0).spacing;
    REQUIRE(spacing);
    CHECK(spacing->rows == 0.7);
    CHECK(spacing->columns == 0.6);
    CHECK(!spacing->at_detector);
  }
}

TEST_CASE("scans: dicom: unsigned 16 bits through JPEG-LS", "[scans]") {  // whose encoder takes no negative values
  test::Folder dir;
  DicomFile(8, 8, counting(64, 5, 1000)).save(dir / "a", EXS_JPEGLSLossless);
  const cv::Mat frame = open_scan(dir / "a")->frame(0);
  for (int i = 0; i < 64; ++i) CHECK(value(frame, i / 8, i % 8) == static_cast<float>(5 + i * 1000));
}

TEST_CASE("scans: dicom: 32 bits in either order of bytes, 8 bits and 1 bit", "[scans]") {
  test::Folder dir;
  for (const E_TransferSyntax syntax : {EXS_LittleEndianExplicit, EXS_RLELossless}) {
    DicomFile file(1, 2, {0x5678, 0x1234, 0xffff, 0xffff});
    file.put(DCM_BitsAllocated, 32).put(DCM_BitsStored, 32).put(DCM_HighBit, 31);
    file.save(dir / "a", syntax);
    const cv::Mat frame = open_scan(dir / "a")->frame(0);
    CHECK(value(frame, 0, 0) == static_cast<float>(0x12345678));
    CHECK(value(frame, 0, 1) == static_cast<float>(0xffffffffu));
  }
  // In files of big endian the higher half stands first; saving swaps the bytes of each half.
  DicomFile big(1, 2, {0x1234, 0x5678, 0xffff, 0xffff});
  big.put(DCM_BitsAllocated, 32).put(DCM_BitsStored, 32).put(DCM_HighBit, 31).put(DCM_PixelRepresentation, 1);
  big.save(dir / "b", EXS_BigEndianExplicit);
  CHECK(value(open_scan(dir / "b")->frame(0), 0, 0) == static_cast<float>(0x12345678));
  CHECK(value(open_scan(dir / "b")->frame(0), 0, 1) == -1);

  DicomFile bits(2, 8, {0x8001});
  bits.put(DCM_BitsAllocated, 1).put(DCM_BitsStored, 1).put(DCM_HighBit, 0);
  bits.save(dir / "c");
  const cv::Mat mask = open_scan(dir / "c")->frame(0);
  CHECK(cv::sum(mask)[0] == 2);
  CHECK(value(mask, 0, 0) == 1);
  CHECK(value(mask, 1, 7) == 1);
}

TEST_CASE("scans: dicom: colours of planes, of pixels and of palettes", "[scans]") {
  test::Folder dir;
  for (const int planar : {0, 1}) {
    // Pixels (1, 2, 3) and (4, 5, 6), as bytes in words.
    DicomFile file(1, 2, planar ? std::vector<Uint16>{0x0401, 0x0502, 0x0603} : std::vector<Uint16>{0x0201, 0x0403, 0x0605});
    file.put(DCM_SamplesPerPixel, 3).put(DCM_PlanarConfiguration, planar).put(DCM_PhotometricInterpretation, "RGB");
    file.put(DCM_BitsAllocated, 8).put(DCM_BitsStored, 8).put(DCM_HighBit, 7);
    file.save(dir / "a");
    const auto scan = open_scan(dir / "a");
    CHECK(scan->info().colour);
    const cv::Mat frame = scan->frame(0);
    REQUIRE(frame.type() == CV_8UC3);
    CHECK(frame.at<cv::Vec3b>(0, 0) == cv::Vec3b(3, 2, 1));
    CHECK(frame.at<cv::Vec3b>(0, 1) == cv::Vec3b(6, 5, 4));
  }
  DicomFile palette(1, 2, {0, 1});
  palette.put(DCM_PhotometricInterpretation, "PALETTE COLOR").put(DCM_BitsStored, 8).put(DCM_HighBit, 7);
  const Uint16 about[] = {2, 0, 16}, red[] = {0, 0xffff}, green[] = {0x8000, 0}, blue[] = {0xffff, 0x4000};
  for (const DcmTagKey& tag : {DCM_RedPaletteColorLookupTableDescriptor, DCM_GreenPaletteColorLookupTableDescriptor,
                               DCM_BluePaletteColorLookupTableDescriptor})
    palette.data().putAndInsertUint16Array(tag, about, 3);
  palette.data().putAndInsertUint16Array(DCM_RedPaletteColorLookupTableData, red, 2);
  palette.data().putAndInsertUint16Array(DCM_GreenPaletteColorLookupTableData, green, 2);
  palette.data().putAndInsertUint16Array(DCM_BluePaletteColorLookupTableData, blue, 2);
  palette.save(dir / "p");
  const cv::Mat frame = open_scan(dir / "p")->frame(0);
  REQUIRE(frame.type() == CV_16UC3);
  CHECK(frame.at<cv::Vec3w>(0, 0) == cv::Vec3w(0xffff, 0x8000, 0));
  CHECK(frame.at<cv::Vec3w>(0, 1) == cv::Vec3w(0x4000, 0, 0xffff));
}

TEST_CASE("scans: dicom: frames of an enhanced object have places, scales and windows of their own", "[scans]") {
  test::Folder dir;
  DicomFile file(2, 2, counting(3 * 4));
  file.put(DCM_NumberOfFrames, "3");
  DcmItem* shared = nullptr;
  file.data().findOrCreateSequenceItem(DCM_SharedFunctionalGroupsSequence, shared);
  DcmItem* item = nullptr;
  shared->findOrCreateSequenceItem(DCM_PixelMeasuresSequence, item), item->putAndInsertString(DCM_PixelSpacing, "2\\3");
  shared->findOrCreateSequenceItem(DCM_PlaneOrientationSequence, item),
      item->putAndInsertString(DCM_ImageOrientationPatient, "0\\1\\0\\0\\0\\-1");
  for (int i = 0; i < 3; ++i) {
    DcmItem* own = nullptr;
    file.data().findOrCreateSequenceItem(DCM_PerFrameFunctionalGroupsSequence, own, i);
    own->findOrCreateSequenceItem(DCM_PlanePositionSequence, item);
    item->putAndInsertString(DCM_ImagePositionPatient, (std::to_string(10 * i) + "\\1\\2").c_str());
    own->findOrCreateSequenceItem(DCM_PixelValueTransformationSequence, item);
    item->putAndInsertString(DCM_RescaleSlope, std::to_string(i + 1).c_str()),
        item->putAndInsertString(DCM_RescaleIntercept, "5");
    own->findOrCreateSequenceItem(DCM_FrameVOILUTSequence, item);
    item->putAndInsertString(DCM_WindowCenter, std::to_string(100 * i).c_str()), item->putAndInsertString(DCM_WindowWidth, "50");
  }
  file.save(dir / "a");
  const auto scan = open_scan(dir / "a");
  REQUIRE(scan->info().frames == 3);
  for (int i = 0; i < 3; ++i) {
    const FrameInfo about = scan->frame_info(i);
    REQUIRE(about.plane);
    CHECK(about.plane->origin == Vec3{10.0 * i, 1, 2});
    CHECK(about.plane->normal() == Vec3{-1, 0, 0});
    CHECK(about.plane->at(1, 1, *about.spacing) == Vec3{10.0 * i, 4, 0});
    REQUIRE(about.windows.size() == 1);
    CHECK(about.windows[0].level == 100 * i);
    CHECK(value(scan->frame(i), 1, 1) == static_cast<float>((4 * i + 3) * (i + 1) + 5));
  }
  CHECK(test::fails_with([&] { scan->frame(3); }, "expected a frame from 0 to 2, got 3"));
}

TEST_CASE("scans: dicom: lengths are calibrated, at the detector, or not there", "[scans]") {
  test::Folder dir;
  const auto spacing_of = [&](const std::function<void(DicomFile&)>& change) {
    DicomFile file(2, 2, counting(4));
    change(file);
    file.save(dir / "a");
    return open_scan(dir / "a")->frame_info(0).spacing;
  };
  CHECK(!spacing_of([](DicomFile&) {}));
  CHECK(spacing_of([](DicomFile& f) { f.put(DCM_ImagerPixelSpacing, "0.1\\0.2"); })->at_detector);
  CHECK(
      spacing_of([](DicomFile& f) { f.put(DCM_ImagerPixelSpacing, "0.1\\0.2").put(DCM_PixelSpacing, "0.1\\0.2"); })->at_detector);
  const auto calibrated =
      spacing_of([](DicomFile& f) { f.put(DCM_ImagerPixelSpacing, "0.1\\0.2").put(DCM_PixelSpacing, "0.08\\0.16"); });
  CHECK(!calibrated->at_detector);
  CHECK(calibrated->columns == 0.16);
  CHECK(test::fails_with([&] { spacing_of([](DicomFile& f) { f.put(DCM_PixelSpacing, "0\\1"); }); }, "expected lengths over 0"));
  CHECK(test::fails_with([&] { spacing_of([](DicomFile& f) { f.put(DCM_PixelSpacing, "1"); }); }, "expected 2 numbers, got 1"));
}

TEST_CASE("scans: dicom: lookup tables of the modality and of the picture", "[scans]") {
  test::Folder dir;
  DicomFile file(1, 4, {9, 10, 11, 200});
  DcmItem* lut = nullptr;
  const Uint16 about[] = {3, 10, 16}, table[] = {1000, 500, 7};
  file.data().findOrCreateSequenceItem(DCM_ModalityLUTSequence, lut);
  lut->putAndInsertUint16Array(DCM_LUTDescriptor, about, 3), lut->putAndInsertUint16Array(DCM_LUTData, table, 3);
  const Uint16 voi_about[] = {2, 7, 8}, voi[] = {0, 255};
  file.data().findOrCreateSequenceItem(DCM_VOILUTSequence, lut);
  lut->putAndInsertUint16Array(DCM_LUTDescriptor, voi_about, 3), lut->putAndInsertUint16Array(DCM_LUTData, voi, 2);
  file.save(dir / "a");
  const auto scan = open_scan(dir / "a");
  const cv::Mat frame = scan->frame(0);
  CHECK(value(frame, 0, 0) == 1000);  // before the first: the first
  CHECK(value(frame, 0, 1) == 1000);
  CHECK(value(frame, 0, 2) == 500);
  CHECK(value(frame, 0, 3) == 7);  // behind the last: the last
  const cv::Mat picture = shown(*scan, 0);
  CHECK(picture.at<std::uint8_t>(0, 0) == 255);
  CHECK(picture.at<std::uint8_t>(0, 3) == 0);
}

TEST_CASE("scans: windows make pictures as the standard says, and never touch values", "[scans]") {
  test::Folder dir;
  DicomFile file(1, 5, {0, 49, 50, 51, 100});
  file.put(DCM_PhotometricInterpretation, "MONOCHROME1").put(DCM_WindowCenter, "50").put(DCM_WindowWidth, "101");
  file.save(dir / "a");
  const auto scan = open_scan(dir / "a");
  CHECK(scan->info().inverted);
  CHECK(value(scan->frame(0), 0, 4) == 100);
  const cv::Mat own = shown(*scan, 0), wish = shown(*scan, 0, parse_window("2:50.5"));
  // ((x - 49.5) / 100 + 0.5) * 255, white where values are small.
  const double shares[] = {0.005, 0.495, 0.505, 0.515, 1};
  for (int x = 0; x < 5; ++x) CHECK(own.at<std::uint8_t>(0, x) == std::lround(255 * (1 - shares[x])));
  CHECK(wish.at<std::uint8_t>(0, 1) == 255);
  CHECK(wish.at<std::uint8_t>(0, 2) == std::lround(255 * 0.5));
  CHECK(wish.at<std::uint8_t>(0, 3) == 0);
  const cv::Mat values = (cv::Mat_<float>(1, 3) << -1, 0, 1);
  const cv::Mat sigmoid = windowed(values, {0, 4, Window::Function::sigmoid, {}}, false);
  CHECK(sigmoid.at<std::uint8_t>(0, 0) == std::lround(255 / (1 + std::exp(1.0))));
  CHECK(sigmoid.at<std::uint8_t>(0, 1) == 128);
  CHECK(parse_window("lung")->width == 1500);
  CHECK(!parse_window("auto"));
  for (const char* text : {"", "12", "a:b", "0:3", "1:2:3", "nan:1", "lungs"})
    CHECK(test::fails_with([&] { parse_window(text); }, "window: expected WIDTH:LEVEL"));
  cv::Mat with_padding(10, 10, CV_32FC1, cv::Scalar(-2000));
  with_padding.row(0) = 5, with_padding.row(1) = 25;
  CHECK(auto_window(with_padding, -2000).level == 15);
  CHECK(auto_window(cv::Mat(2, 2, CV_32FC1, cv::Scalar(NAN)), {}).width == 1);
}

TEST_CASE("scans: dicom: what is no picture, or does not fit itself, is refused by name", "[scans]") {
  test::Folder dir;
  const auto refused = [&](const std::function<void(DicomFile&)>& change, const std::string& reason) {
    DicomFile file(4, 4, counting(16));
    change(file);
    file.save(dir / "a");
    return test::fails_with([&] { open_scan(dir / "a")->frame(0); }, reason);
  };
  CHECK(
      refused([](DicomFile& f) { f.data().findAndDeleteElement(DCM_PixelData), f.put(DCM_SOPClassUID, UID_BasicTextSRStorage); },
              "expected a picture, got none: its kind is BasicTextSRStorage"));
  CHECK(refused([](DicomFile& f) { f.data().findAndDeleteElement(DCM_Rows); }, "Rows (0028,0010) is missing"));
  CHECK(refused([](DicomFile& f) { f.put(DCM_Rows, 0); }, "Rows (0028,0010): expected a whole number from 1"));
  CHECK(refused([](DicomFile& f) { f.put(DCM_Rows, 60000).put(DCM_Columns, 60000); }, "pixels"));
  CHECK(test::fails_with(
      [&] {
        DicomFile file(4, 4, counting(16));
        file.put(DCM_Rows, 4);
        file.save(dir / "a", EXS_RLELossless);
        DcmFileFormat again;
        again.loadFile((dir / "a").c_str());
        again.getDataset()->putAndInsertUint16(DCM_Rows, 30000), again.getDataset()->putAndInsertUint16(DCM_Columns, 30000);
        again.saveFile((dir / "a").c_str(), EXS_RLELossless);
        open_scan(dir / "a");
      },
      "30000x30000"));
  CHECK(refused([](DicomFile& f) { f.put(DCM_NumberOfFrames, "1000000"); }, "truncated: expected 32000000 bytes of pixels"));
  CHECK(refused([](DicomFile& f) { f.put(DCM_BitsStored, 17); },
                "BitsStored (0028,0101): expected a whole number from 1 to 16, got 17"));
  CHECK(refused([](DicomFile& f) { f.put(DCM_BitsAllocated, 12).put(DCM_BitsStored, 12); }, "not supported: samples of 12 bits"));
  CHECK(refused([](DicomFile& f) { f.put(DCM_RescaleSlope, "one"); },
                "RescaleSlope (0028,1053): expected a number, got text of 3 characters"));
  CHECK(refused([](DicomFile& f) { f.put(DCM_RescaleSlope, "0"); }, "expected a number other than 0"));
  CHECK(refused([](DicomFile& f) { f.place(0, 0, 0, "1\\0\\0\\1\\0\\0"); }, "expected two unit vectors at right angles"));
  // What the machine refuses is no fault of a file: links that lead to each other.
  std::filesystem::create_symlink("loop2", dir / "loop1");
  std::filesystem::create_symlink("loop1", dir / "loop2");
  CHECK_THROWS_AS(open_scan(dir / "loop1"), FileError);
  CHECK(test::fails_with([&] { open_scan(dir / "none"); }, "no such file"));
  test::Folder empty;
  CHECK(test::fails_with([&] { open_scan(empty.path()); }, "expected a scan"));
}

TEST_CASE("scans: dicom: damaged files are read or refused", "[scans][fuzz]") {
  test::Folder dir;
  std::vector<std::string> seeds;
  for (const E_TransferSyntax syntax :
       {EXS_LittleEndianImplicit, EXS_LittleEndianExplicit, EXS_BigEndianExplicit, EXS_DeflatedLittleEndianExplicit,
        EXS_RLELossless, EXS_JPEGProcess14SV1, EXS_JPEGLSLossless}) {
    DicomFile file(6, 5, counting(30));
    file.place(1, 2, 3)
        .put(DCM_PixelSpacing, "1\\1")
        .put(DCM_WindowCenter, "5")
        .put(DCM_WindowWidth, "9")
        .put(DCM_NumberOfFrames, "1");
    file.save(dir / "a", syntax);
    std::ifstream in(dir / "a", std::ios::binary);
    seeds.emplace_back((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  }
  test::fuzz("dicom", seeds, [&](const std::string& bytes) {
    std::ofstream(dir / "b", std::ios::binary) << bytes;
    const auto scan = open_scan(dir / "b");
    if (scan->info().rows * static_cast<double>(scan->info().columns) > 1e6) return;
    shown(*scan, scan->info().frames - 1);
  });
}
