// NIfTI files of both versions and both orders of bytes, written here byte by byte.
#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>

#include "datasets/scans/scan.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/fuzz.hpp"

using namespace fovea;

namespace {

// Bytes with numbers put at places, in the order that is asked for.
class Bytes {
 public:
  Bytes(std::size_t size, bool swapped) : bytes_(size, '\0'), swapped_(swapped) {}
  template <class T>
  Bytes& put(std::size_t at, T value) {
    auto raw = std::bit_cast<std::array<char, sizeof(T)>>(value);
    if (swapped_) std::reverse(raw.begin(), raw.end());
    if (bytes_.size() < at + sizeof(T)) bytes_.resize(at + sizeof(T));
    std::copy(raw.begin(), raw.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(at));
    return *this;
  }
  Bytes& text(std::size_t at, const std::string& text) {
    std::copy(text.begin(), text.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(at));
    return *this;
  }
  const std::string& all() const { return bytes_; }

 private:
  std::string bytes_;
  bool swapped_;
};

constexpr int kColumns = 4, kRows = 3, kSlices = 2, kTimes = 2;

// int16 voxels 0, 1, 2 ... in mm, with the given scale.
Bytes header(int version, bool swapped) {
  const bool one = version == 1;
  Bytes b(one ? 352 : 544, swapped);
  b.put<std::int32_t>(0, one ? 348 : 540);
  b.text(one ? 344 : 4, one ? std::string("n+1\0", 4) : std::string("n+2\0\r\n\032\n", 8));
  const int sizes[] = {4, kColumns, kRows, kSlices, kTimes, 1, 1, 1};
  for (std::size_t i = 0; i < 8; ++i) {
    if (one)
      b.put<std::int16_t>(40 + 2 * i, static_cast<std::int16_t>(sizes[i])).put<float>(76 + 4 * i, static_cast<float>(i + 1));
    else b.put<std::int64_t>(16 + 8 * i, sizes[i]).put<double>(104 + 8 * i, static_cast<double>(i + 1));
  }
  b.put<std::int16_t>(one ? 70 : 12, 4).put<std::int16_t>(one ? 72 : 14, 16);
  if (one) b.put<float>(108, 352).put<float>(112, 2).put<float>(116, -10).put<std::uint8_t>(123, 2);
  else b.put<std::int64_t>(168, 544).put<double>(176, 2).put<double>(184, -10).put<std::int32_t>(500, 2);
  return b;
}

Bytes with_voxels(Bytes b) {
  const std::size_t first = b.all().size();
  for (std::size_t i = 0; i < kColumns * kRows * kSlices * kTimes; ++i)
    b.put<std::int16_t>(first + 2 * i, static_cast<std::int16_t>(i));
  return b;
}

void write(const std::filesystem::path& file, const std::string& bytes) { std::ofstream(file, std::ios::binary) << bytes; }

void write_packed(const std::filesystem::path& file, const std::string& bytes) {
  const gzFile out = ::gzopen(file.c_str(), "wb");
  REQUIRE(out);
  CHECK(::gzwrite(out, bytes.data(), static_cast<unsigned>(bytes.size())) == static_cast<int>(bytes.size()));
  CHECK(::gzclose(out) == Z_OK);
}

}  // namespace

TEST_CASE("scans: nifti: both versions, both orders of bytes, packed and not", "[scans]") {
  test::Folder dir;
  for (const int version : {1, 2})
    for (const bool swapped : {false, true})
      for (const bool packed : {false, true}) {
        INFO("version " << version << (swapped ? ", swapped" : "") << (packed ? ", packed" : ""));
        const Bytes bytes = with_voxels(header(version, swapped));
        const auto file = dir / (packed ? "a.nii.gz" : "a.nii");
        packed ? write_packed(file, bytes.all()) : write(file, bytes.all());
        const auto scan = open_scan(file);
        CHECK(scan->info().format == "NIfTI-" + std::to_string(version));
        CHECK(scan->info().rows == kRows);
        CHECK(scan->info().columns == kColumns);
        REQUIRE(scan->info().frames == kSlices * kTimes);
        int wrong = 0;
        for (const int frame : {3, 0, 2, 1}) {
          const cv::Mat m = scan->frame(frame);
          for (int i = 0; i < kRows * kColumns; ++i)
            wrong += m.at<float>(i / kColumns, i % kColumns) != static_cast<float>((frame * kRows * kColumns + i) * 2 - 10);
        }
        CHECK(wrong == 0);
        const auto spacing = scan->frame_info(0).spacing;
        REQUIRE(spacing);  // pixdim is 1, 2, 3 ...: columns lie 2 mm apart, rows 3
        CHECK(spacing->columns == 2);
        CHECK(spacing->rows == 3);
        CHECK(!scan->frame_info(0).plane);
      }
}

TEST_CASE("scans: nifti: places in the patient from the affine matrix, else from the quaternion", "[scans]") {
  test::Folder dir;
  // A quarter turn around z, 2, 3 and 4 mm, in a frame that counts to the right and to the front.
  Bytes q = with_voxels(header(1, false));
  q.put<std::int16_t>(252, 1).put<float>(264, static_cast<float>(std::sqrt(0.5)));
  q.put<float>(268, 10).put<float>(272, 20).put<float>(276, 30).put<float>(76, -1);  // slices mirrored
  write(dir / "q.nii", q.all());
  Bytes s = with_voxels(header(1, false));
  const float matrix[3][4] = {{0, -3, 0, 10}, {2, 0, 0, 20}, {0, 0, -4, 30}};
  s.put<std::int16_t>(254, 1).put<std::int16_t>(252, 1).put<float>(268, 99);
  for (std::size_t r = 0; r < 3; ++r)
    for (std::size_t c = 0; c < 4; ++c) s.put<float>(280 + 16 * r + 4 * c, matrix[r][c]);
  write(dir / "s.nii", s.all());
  for (const char* name : {"q.nii", "s.nii"}) {
    INFO(name);
    const auto scan = open_scan(dir / name);
    const FrameInfo about = scan->frame_info(3);  // the second slice of the second time
    REQUIRE(about.plane);
    REQUIRE(about.spacing);
    CHECK(about.spacing->columns == Approx(2));
    CHECK(about.spacing->rows == Approx(3));
    // Voxel (1, 2, 1): (0 - 6 + 10, 2 + 20, -4 + 30), and to DICOM's left and back.
    const Vec3 p = about.plane->at(1, 2, *about.spacing);
    CHECK(p[0] == Approx(-4));
    CHECK(p[1] == Approx(-22));
    CHECK(p[2] == Approx(26));
  }
  Bytes sheared = with_voxels(header(1, false));
  const float shear[3][4] = {{1, 1, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}};
  sheared.put<std::int16_t>(254, 1);
  for (std::size_t r = 0; r < 3; ++r)
    for (std::size_t c = 0; c < 4; ++c) sheared.put<float>(280 + 16 * r + 4 * c, shear[r][c]);
  write(dir / "x.nii", sheared.all());
  const auto scan = open_scan(dir / "x.nii");
  CHECK(!scan->frame_info(0).plane);
  CHECK(scan->info().notes.size() == 1);
}

TEST_CASE("scans: nifti: what is damaged, cut or of another kind is refused by name", "[scans]") {
  test::Folder dir;
  const auto refused = [&](const Bytes& bytes, const std::string& reason) {
    write(dir / "a.nii", bytes.all());
    return test::fails_with([&] { open_scan(dir / "a.nii")->frame(kSlices * kTimes - 1); }, reason);
  };
  const Bytes good = with_voxels(header(1, false));
  CHECK(refused(Bytes(good).put<std::int16_t>(40, 9), "expected 1 to 7 dimensions, got 9"));
  CHECK(refused(Bytes(good).put<std::int16_t>(44, -3), "dimension 2 is -3"));
  CHECK(refused(Bytes(good).put<std::int16_t>(42, 32767).put<std::int16_t>(44, 32767).put<std::int16_t>(46, 32767), "dimension"));
  CHECK(refused(Bytes(good).put<std::int16_t>(70, 32), "not supported: NIfTI voxels of type 32"));
  CHECK(refused(Bytes(good).put<std::int16_t>(72, 8), "int16 of 8 bits"));
  CHECK(refused(Bytes(good).put<float>(108, NAN), "its voxels begin at nan"));
  CHECK(refused(Bytes(good).put<float>(80, INFINITY), "a voxel's size is not finite"));
  CHECK(refused(Bytes(good).text(344, "ni1"), "a NIfTI of two files"));
  CHECK(refused(Bytes(good).put<std::int16_t>(68, 3001), "CIFTI"));
  for (std::size_t cut = 360; cut < good.all().size(); cut += 9) {
    write(dir / "cut.nii", good.all().substr(0, cut));
    CHECK(test::fails_with([&] { open_scan(dir / "cut.nii")->frame(kSlices * kTimes - 1); }, "truncated: slice 4 of 4"));
  }
  write_packed(dir / "whole.nii.gz", good.all());
  std::ifstream in(dir / "whole.nii.gz", std::ios::binary);
  const std::string packed((std::istreambuf_iterator<char>(in)), {});
  write(dir / "cut.nii.gz", packed.substr(0, packed.size() - 20));
  CHECK(test::fails_with([&] { open_scan(dir / "cut.nii.gz")->frame(kSlices * kTimes - 1); }, "runcated"));
}

TEST_CASE("scans: nifti: damaged files are read or refused", "[scans][fuzz]") {
  test::Folder dir;
  const auto read = [&](const std::string& bytes) {
    write(dir / "a.nii", bytes);
    const auto scan = open_scan(dir / "a.nii");
    if (scan->info().rows * static_cast<double>(scan->info().columns) > 1e6) return;
    scan->frame_info(scan->info().frames - 1);
    scan->frame(scan->info().frames - 1);
  };
  test::fuzz("nifti", {with_voxels(header(1, false)).all(), with_voxels(header(2, true)).all()}, read);
}
