// Public DICOM files: each is decoded as other readers decode it, or refused with a reason. The sums were made once by pydicom 2.3.1, for what it does
// not unpack (JPEG of 12 bits, lossless JPEG, JPEG-LS, one JPEG 2000) from what GDCM 3.0 unpacked.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include "datasets/scans/scan.hpp"
#include "modules/io/files.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/shared.hpp"

using namespace fovea;

namespace {

// Sums over the first frame, in RGB; `weighted`: each value times its number modulo 97.
struct Decoded {
  const char* file;
  int rows, columns, frames, channels;
  double sum, weighted;
};

constexpr Decoded kDecoded[] = {
    {"pydicom/693_J2KI.dcm", 512, 512, 1, 1, -270617240, -12983975060},
    {"pydicom/CT_small.dcm", 128, 128, 1, 1, -1950906, -91363995},
    {"pydicom/ExplVR_BigEnd.dcm", 60, 80, 1, 3, 2470716, 118472885},
    {"pydicom/GDCMJ2K_TextGBR.dcm", 400, 400, 1, 3, 59729223, 2866845819},
    {"pydicom/J2K_pixelrep_mismatch.dcm", 512, 512, 1, 1, -172605258, -8282223593},
    {"pydicom/JPEG-lossy.dcm", 1024, 256, 1, 1, 3767007, 180765624},
    {"pydicom/JPEG2000.dcm", 1024, 256, 1, 1, 3527976, 169346023},
    {"pydicom/JPEGLSNearLossless_08.dcm", 45, 10, 1, 1, 25000, 976800},
    {"pydicom/JPEGLSNearLossless_16.dcm", 50, 10, 1, 1, 6007250, 231339645},
    {"pydicom/JPGExtended.dcm", 1024, 256, 1, 1, 3767007, 180765624},
    {"pydicom/MR_small.dcm", 64, 64, 1, 1, 2125338, 101326914},
    {"pydicom/MR_small_RLE.dcm", 64, 64, 1, 1, 2125338, 101326914},
    {"pydicom/MR_small_bigendian.dcm", 64, 64, 1, 1, 2125338, 101326914},
    {"pydicom/MR_small_expb.dcm", 64, 64, 1, 1, 2125338, 101326914},
    {"pydicom/MR_small_implicit.dcm", 64, 64, 1, 1, 2125338, 101326914},
    {"pydicom/MR_small_jp2klossless.dcm", 64, 64, 1, 1, 2125338, 101326914},
    {"pydicom/MR_small_jpeg_ls_lossless.dcm", 64, 64, 1, 1, 2125338, 101326914},
    {"pydicom/MR_small_padded.dcm", 64, 64, 1, 1, 2125338, 101326914},
    {"pydicom/SC_jpeg_no_color_transform.dcm", 256, 256, 1, 3, 47966767, 2302314510},
    {"pydicom/SC_jpeg_no_color_transform_2.dcm", 256, 256, 1, 3, 48294002, 2317997361},
    {"pydicom/SC_rgb_dcmtk_+eb+cr.dcm", 100, 100, 1, 3, 3832200, 183853414},
    {"pydicom/SC_rgb_dcmtk_+eb+cy+n1.dcm", 100, 100, 1, 3, 3826350, 183570840},
    {"pydicom/SC_rgb_dcmtk_+eb+cy+n2.dcm", 100, 100, 1, 3, 3832000, 183845082},
    {"pydicom/SC_rgb_dcmtk_+eb+cy+np.dcm", 100, 100, 1, 3, 3826350, 183570840},
    {"pydicom/SC_rgb_dcmtk_+eb+cy+s2.dcm", 100, 100, 1, 3, 3832000, 183845082},
    {"pydicom/SC_rgb_dcmtk_+eb+cy+s4.dcm", 100, 100, 1, 3, 3832000, 183845082},
    {"pydicom/SC_rgb_gdcm_KY.dcm", 100, 100, 1, 3, 3831000, 183795523},
    {"pydicom/SC_rgb_jls_lossy_line.dcm", 100, 100, 1, 3, 3840000, 184226725},
    {"pydicom/SC_rgb_jls_lossy_sample.dcm", 100, 100, 1, 3, 3840000, 184226725},
    {"pydicom/SC_rgb_jpeg_app14_dcmd.dcm", 256, 256, 1, 3, 48294002, 2317997361},
    {"pydicom/SC_rgb_jpeg_dcmd.dcm", 256, 256, 1, 3, 47966767, 2302314510},
    {"pydicom/SC_rgb_jpeg_dcmtk.dcm", 100, 100, 1, 3, 3832000, 183845082},
    {"pydicom/SC_rgb_jpeg_gdcm.dcm", 100, 100, 1, 3, 3831000, 183795523},
    {"pydicom/SC_rgb_jpeg_lossy_gdcm.dcm", 100, 100, 1, 3, 3825850, 183545802},
    {"pydicom/SC_rgb_rle.dcm", 100, 100, 1, 3, 3831000, 183795523},
    {"pydicom/SC_rgb_rle_16bit.dcm", 100, 100, 1, 3, 984567000, 47235449411},
    {"pydicom/SC_rgb_rle_16bit_2frame.dcm", 100, 100, 2, 3, 984567000, 47235449411},
    {"pydicom/SC_rgb_rle_2frame.dcm", 100, 100, 2, 3, 3831000, 183795523},
    {"pydicom/SC_rgb_rle_32bit.dcm", 100, 100, 1, 3, 984567000, 47235449411},
    {"pydicom/SC_rgb_rle_32bit_2frame.dcm", 100, 100, 2, 3, 984567000, 47235449411},
    {"pydicom/SC_rgb_small_odd.dcm", 3, 3, 1, 3, 3477, 48303},
    {"pydicom/SC_rgb_small_odd_big_endian.dcm", 3, 3, 1, 3, 3477, 48303},
    {"pydicom/SC_rgb_small_odd_jpeg.dcm", 3, 3, 1, 3, 3465, 48138},
    {"pydicom/SC_ybr_full_422_uncompressed.dcm", 100, 100, 1, 3, 3832000, 183845082},
    {"pydicom/badVR.dcm", 10, 10, 1, 1, 101.378, 4371.695},
    {"pydicom/examples_jpeg2k.dcm", 480, 640, 1, 3, 31821736, 1525704127},
    {"pydicom/examples_overlay.dcm", 300, 484, 1, 1, 27833052, 1331689519},
    {"pydicom/examples_palette.dcm", 350, 800, 1, 3, 4406822400, 211598381312},
    {"pydicom/examples_rgb_color.dcm", 240, 320, 1, 3, 7895026, 378504475},
    {"pydicom/examples_ybr_color.dcm", 240, 320, 30, 3, 2182169, 104812252},
    {"pydicom/image_dfl.dcm", 512, 512, 1, 1, 33322688, 1599361292},
    {"pydicom/liver_1frame.dcm", 512, 512, 1, 1, 36233, 1738453},
    {"pydicom/liver_expb_1frame.dcm", 512, 512, 1, 1, 36233, 1738453},
    {"pydicom/rtdose.dcm", 10, 10, 15, 1, 101.378, 4371.695},
    {"pydicom/rtdose_1frame.dcm", 10, 10, 1, 1, 101.378, 4371.695},
    {"pydicom/rtdose_expb.dcm", 10, 10, 15, 1, 101.378, 4371.695},
    {"pydicom/rtdose_expb_1frame.dcm", 10, 10, 1, 1, 101.378, 4371.695},
    {"pydicom/rtdose_rle.dcm", 10, 10, 15, 1, 101.378, 4371.695},
    {"pydicom/rtdose_rle_1frame.dcm", 10, 10, 1, 1, 101.378, 4371.695},
    {"nibabel/0.dcm", 256, 256, 1, 1, 134184960, 6437946372},
    {"nibabel/1.dcm", 256, 256, 1, 1, 134184960, 6437946372},
    {"nibabel/decimal_rescale.dcm", 96, 128, 1, 1, -50331648, -2411728896},
    {"nibabel/slicethickness_empty_string.dcm", 384, 384, 1, 1, 4626321, 222521059},
    {"cardiac/P09dicom/P09-0000.dcm", 256, 216, 1, 1, 6257133, 300268756},
    {"cardiac/P09dicom/P09-0001.dcm", 256, 216, 1, 1, 6025005, 289284474},
};

struct Refused {
  const char *file, *reason;
};

constexpr Refused kRefused[] = {
    {"pydicom/DICOMDIR-empty.dcm", "expected a picture, got none"},
    {"pydicom/ExplVR_BigEndNoMeta.dcm", "its kind is RTIonPlanStorage"},
    {"pydicom/ExplVR_LitEndNoMeta.dcm", "its kind is RTIonPlanStorage"},
    {"pydicom/JPEG2000-embedded-sequence-delimiter.dcm", "damaged or truncated JPEG 2000"},
    {"pydicom/MR_truncated.dcm", "damaged or truncated DICOM"},
    {"pydicom/SC_rgb_jpeg.dcm", "none of the transfer syntax that it claims (JPEG Baseline)"},
    {"pydicom/UN_sequence.dcm", "expected a picture, got none"},
    {"pydicom/empty_charset_LEI.dcm", "expected a picture, got none"},
    {"pydicom/meta_missing_tsyntax.dcm", "Rows (0028,0010) is missing"},
    {"pydicom/nested_priv_SQ.dcm", "Rows (0028,0010) is missing"},
    {"pydicom/no_meta.dcm", "expected a scan"},
    {"pydicom/no_meta_group_length.dcm", "expected a picture, got none"},
    {"pydicom/priv_SQ.dcm", "expected a picture, got none"},
    {"pydicom/reportsi.dcm", "its kind is BasicTextSRStorage"},
    {"pydicom/reportsi_with_empty_number_tags.dcm", "its kind is BasicTextSRStorage"},
    {"pydicom/rtplan.dcm", "its kind is RTPlanStorage"},
    {"pydicom/rtplan_truncated.dcm", "damaged or truncated DICOM"},
    {"pydicom/rtstruct.dcm", "its kind is RTStructureSetStorage"},
    {"pydicom/test-SR.dcm", "its kind is ComprehensiveSRStorage"},
    {"pydicom/waveform_ecg.dcm", "its kind is TwelveLeadECGWaveformStorage"},
    {"nibabel/csa_slice_norm.dcm", "its kind is MRImageStorage"},
    {"nibabel/row_major.dconn.nii", "not supported: CIFTI"},
};

// Sums over one frame, and where its voxel (1, 2) lies in the patient, as nibabel 5.0 says.
struct DecodedVolume {
  const char* file;
  int rows, columns, frames, frame;
  double sum, weighted;
  Vec3 place;
};

constexpr DecodedVolume kVolumes[] = {
    {"nibabel/anatomical.nii", 41, 33, 25, 12, 11555526, 548723935, {-30, 36, 8}},
    {"nibabel/example4d.nii.gz", 96, 128, 48, 12, 2278092, 109312265, {-115.8551, 36.041858, 19.450598}},
    {"nibabel/example_nifti2.nii.gz", 20, 32, 24, 6, 286984, 13254606, {-115.8551, 33.908689, 6.4241076}},
    {"nibabel/functional.nii", 21, 17, 60, 1, 1328398.844, 60027497.85, {-28, 32, 8}},
    {"nibabel/reoriented_anat_moved.nii", 26, 21, 22, 11, 2903052.962, 141480294.9, {31.297897, 39.977585, 16.400591}},
    {"nibabel/resampled_anat_moved.nii", 21, 17, 3, 1, 2651222.226, 123215816, {-28, 32, 8}},
    {"nibabel/standard.nii.gz", 5, 4, 7, 3, 1020, 6120, {-1, -6, 6}},
};

struct Sums {
  double plain = 0, weighted = 0, most = 0;
  double count = 0;
};

Sums sums_of(const cv::Mat& frame) {
  cv::Mat m;
  frame.convertTo(m, CV_64F);
  Sums s;
  int number = 0;
  for (int y = 0; y < m.rows; ++y)
    for (int x = 0; x < m.cols; ++x)
      for (int c = 0; c < m.channels(); ++c, ++number) {
        const double v = m.ptr<double>(y)[x * m.channels() + (m.channels() == 3 ? 2 - c : 0)];
        if (!std::isfinite(v)) continue;  // nothing was measured there
        s.plain += v, s.weighted += v * (number % 97), s.most = std::max(s.most, std::abs(v)), s.count += 1;
      }
  return s;
}

}  // namespace

TEST_CASE("scans: public DICOM files are decoded as by other readers, or refused with a reason", "[scans][shared]") {
  FOVEA_NEEDS_SHARED(folder, "data/dicom");
  std::set<std::string> seen;
  for (const Decoded& d : kDecoded) {
    INFO(d.file);
    seen.insert(d.file);
    const auto scan = open_scan(folder / d.file);
    CHECK(scan->info().frames == d.frames);
    const cv::Mat frame = scan->frame(0);
    CHECK(frame.rows == d.rows);
    CHECK(frame.cols == d.columns);
    CHECK(frame.channels() == d.channels);
    const Sums s = sums_of(frame);
    // Values are floats: each is off by at most half of its last bit. Where dcmtk turns YCbCr into RGB itself it cuts the fraction off, the
    // others round.
    const double each = scan->info().photometric == "YBR_FULL_422" && scan->info().transfer_syntax.starts_with("Little")
                            ? 1
                            : s.most * std::ldexp(1, -24);
    CHECK(std::abs(s.plain - d.sum) <= each * s.count + 1e-9 * std::abs(d.sum));
    CHECK(std::abs(s.weighted - d.weighted) <= 96 * each * s.count + 1e-9 * std::abs(d.weighted));
  }
  for (const Refused& r : kRefused) {
    INFO(r.file);
    seen.insert(r.file);
    CHECK(test::fails_with([&] { open_scan(folder / r.file)->frame(0); }, r.reason));
  }
  for (const DecodedVolume& d : kVolumes) {
    INFO(d.file);
    seen.insert(d.file);
    const auto scan = open_scan(folder / d.file);
    CHECK(scan->info().frames == d.frames);
    const cv::Mat frame = scan->frame(d.frame);
    CHECK(frame.size() == cv::Size(d.columns, d.rows));
    const Sums s = sums_of(frame);
    const double each = s.most * std::ldexp(1, -24);
    CHECK(std::abs(s.plain - d.sum) <= each * s.count + 1e-9 * std::abs(d.sum));
    CHECK(std::abs(s.weighted - d.weighted) <= 96 * each * s.count + 1e-9 * std::abs(d.weighted));
    const FrameInfo about = scan->frame_info(d.frame);
    REQUIRE((about.plane && about.spacing));
    const Vec3 place = about.plane->at(1, 2, *about.spacing);
    for (std::size_t k = 0; k < 3; ++k) CHECK(std::abs(place[k] - d.place[k]) < 1e-4);
  }
  // None was forgotten.
  for (const char* part : {"pydicom", "nibabel"})
    for (const auto& entry : std::filesystem::directory_iterator(folder / part)) {
      INFO(entry.path());
      CHECK(seen.count(part + ("/" + entry.path().filename().string())) == 1);
    }
}

TEST_CASE("scans: public files cut at ten places are read as far as they go, or refused by name", "[scans][shared]") {
  FOVEA_NEEDS_SHARED(folder, "data/dicom");
  constexpr int kCuts = 10;
  test::Folder dir;
  int read = 0, refused = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    const auto bytes = read_file(entry.path());
    const auto cut = dir / ("cut" + entry.path().extension().string());
    for (int i = 0; i < kCuts; ++i) {
      INFO(entry.path() << " cut at " << i << " tenths");
      std::ofstream(cut, std::ios::binary)
          .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size() * i / kCuts));
      try {
        const auto scan = open_scan(cut);
        scan->frame(scan->info().frames - 1);
        ++read;
      } catch (const Error& e) {
        // The reason is the file's, not that the worker is missing or has died.
        CHECK(std::string(e.what()).find("worker") == std::string::npos);
        ++refused;
      }
    }
  }
  // Every one of these files needs more than its first nine tenths.
  CHECK(read == 0);
  CHECK(refused > 1000);
}
