// What is written is read back: values, and places in the patient, in any orientation, right- and left-handed.
#include "datasets/scans/nifti_write.hpp"

#include <cmath>

#include "datasets/scans/image_stack.hpp"
#include "modules/core/random.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"

using namespace fovea;
using test::fails_with;

namespace {

Vec3 normalised(Vec3 v) {
  const double length = std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
  for (double& x : v) x /= length;
  return v;
}

// Any two directions at right angles.
Plane random_plane(std::uint64_t seed) {
  Random random(seed);
  const auto any = [&] { return normalised({random.normal(), random.normal(), random.normal()}); };
  Plane p;
  p.origin = {200 * random.normal(), 200 * random.normal(), 200 * random.normal()};
  p.along_columns = any();
  const Vec3 other = any(), &a = p.along_columns;
  const double along = a[0] * other[0] + a[1] * other[1] + a[2] * other[2];
  p.along_rows = normalised({other[0] - along * a[0], other[1] - along * a[1], other[2] - along * a[2]});
  return p;
}

cv::Mat slice(int i, int type) {
  cv::Mat m(4, 5, CV_32F);
  for (int k = 0; k < 20; ++k) m.ptr<float>(0)[k] = static_cast<float>(i * 20 + k);
  cv::Mat out;
  m.convertTo(out, type);
  return out;
}

}  // namespace

TEST_CASE("scans: nifti: what is written lies where it lay", "[scans]") {
  const test::Folder dir;
  for (std::uint64_t seed = 0; seed < 40; ++seed)
    for (const int type : {CV_8U, CV_16U, CV_32F}) {
      INFO("seed " << seed << ", type " << type);
      const Plane plane = random_plane(seed);
      const NiftiGeometry geometry{5, 4, 3, PixelSpacing{0.75, 0.6}, plane, 2.5};
      std::filesystem::remove(dir / "v.nii.gz");
      NiftiWriter writer(dir / "v.nii.gz", geometry, type, 0.5);
      for (int i = 0; i < 3; ++i) writer.add(slice(i, type));
      CHECK_FALSE(std::filesystem::exists(dir / "v.nii.gz"));
      writer.finish();
      const ImageStack stack({dir / "v.nii.gz"}, {}, {});
      REQUIRE(stack.size() == 3);
      CHECK(*stack.step() == Approx(2.5).margin(1e-4));
      const Vec3 n = plane.normal();
      for (int i = 0; i < 3; ++i) {
        const Slice& s = stack.slice(i);
        REQUIRE(s.about.plane);
        // The corners of every slice to 1e-4 mm: floats hold 200 mm to 2e-5.
        for (const auto& [column, row] : {std::pair{0, 0}, {4, 0}, {0, 3}, {4, 3}}) {
          const Vec3 got = s.about.plane->at(column, row, *s.about.spacing), want = plane.at(column, row, *geometry.spacing);
          for (std::size_t k = 0; k < 3; ++k) CHECK(std::abs(got[k] - (want[k] + 2.5 * i * n[k])) < 1e-4);
        }
        CHECK(stack.read(i).values.at<float>(2, 3) == Approx(0.5 * (20 * i + 13)));
      }
    }
}

TEST_CASE("scans: nifti: without a place nothing is made up", "[scans]") {
  const test::Folder dir;
  NiftiWriter writer(dir / "v.nii.gz", {5, 4, 1, {}, {}, {}}, CV_8U);
  writer.add(slice(0, CV_8U));
  writer.finish();
  const ImageStack stack({dir / "v.nii.gz"}, {}, {});
  CHECK_FALSE(stack.slice(0).about.plane);
  CHECK_FALSE(stack.slice(0).about.spacing);
}

TEST_CASE("scans: nifti: what does not fit is refused, and leaves no file", "[scans]") {
  const test::Folder dir;
  {
    NiftiWriter writer(dir / "v.nii.gz", {5, 4, 2, {}, {}, {}}, CV_8U);
    writer.add(slice(0, CV_8U));
    CHECK(fails_with([&] { writer.add(slice(0, CV_16U)); }, "expected 2 slices of 5x4 and one type"));
    CHECK(fails_with([&] { writer.finish(); }, "1 of 2 slices were written"));
  }
  CHECK(dir.entries() == 0);
  CHECK(fails_with([&] { NiftiWriter(dir / "v.nii.gz", {40000, 4, 1, {}, {}, {}}, CV_8U); }, "NIfTI holds 1 to 32767"));
  CHECK(fails_with([&] { NiftiWriter(dir / "v.nii.gz", {4, 4, 1, {}, {}, {}}, CV_64F); }, "expected slices of 8 or 16 bit"));
}
