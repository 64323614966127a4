// Slices find their order by where they lie, whatever the files are called and numbered.
#include "datasets/scans/volume.hpp"

#include <algorithm>
#include <random>

#include "tests/support/catch.hpp"
#include "tests/support/dicom.hpp"

using namespace fovea;

namespace {

// Slices of one series at places along an axis that no coordinate goes along.
std::vector<ScanFile> slices(const test::Folder& dir, const std::vector<double>& places, const std::string& series) {
  std::vector<ScanFile> files;
  for (std::size_t i = 0; i < places.size(); ++i) {
    test::DicomFile file(2, 2, test::counting(4));
    // Columns along (0.6, 0.8, 0), rows along (0, 0, -1): the normal is (-0.8, 0.6, 0).
    file.place(-0.8 * places[i], 0.6 * places[i], 7, "0.6\\0.8\\0\\0\\0\\-1");
    file.put(DCM_SeriesInstanceUID, series).put(DCM_InstanceNumber, std::to_string((i * 7) % 5)).put(DCM_PixelSpacing, "1\\1");
    const auto path = dir / (series + "-" + std::to_string(i));
    file.save(path);
    files.push_back(describe(*open_scan(path), path));
  }
  return files;
}

std::vector<int> order_of(const Volume& v) {
  std::vector<int> order;
  for (const Slice& s : v.slices) {
    const std::string name = s.file.filename().string();
    order.push_back(std::stoi(name.substr(name.find('-') + 1)));
  }
  return order;
}

}  // namespace

TEST_CASE("scans: slices are ordered by place, series stay apart, gaps are told", "[scans]") {
  test::Folder dir;
  std::vector<ScanFile> files = slices(dir, {6, 0, 3, -3, 12}, "1.2.3");
  for (ScanFile& other : slices(dir, {0, 5}, "1.2.4")) files.push_back(std::move(other));
  std::mt19937 random(3);
  for (int round = 0; round < 5; ++round) {
    std::shuffle(files.begin(), files.end(), random);
    auto volumes = sort_into_volumes(files);
    REQUIRE(volumes.size() == 2);
    std::sort(volumes.begin(), volumes.end(), [](const Volume& a, const Volume& b) { return a.series < b.series; });
    CHECK(order_of(volumes[0]) == std::vector<int>{3, 1, 2, 0, 4});
    REQUIRE(volumes[0].step);
    CHECK(*volumes[0].step == Approx(3));
    REQUIRE(volumes[0].notes.size() == 1);
    CHECK(volumes[0].notes[0] == "a gap of 6 mm behind slice 4; the others lie 3 mm apart");
    CHECK(volumes[1].notes.empty());
  }
}

TEST_CASE("scans: pictures at one place are phases of several volumes", "[scans]") {
  test::Folder dir;
  const auto files = slices(dir, {0, 0, 0, 5, 5, 5}, "1.2");
  const auto volumes = sort_into_volumes(files);
  REQUIRE(volumes.size() == 3);
  for (int phase = 0; phase < 3; ++phase)
    CHECK(order_of(volumes[static_cast<std::size_t>(phase)]) == std::vector<int>{phase, phase + 3});
}

TEST_CASE("scans: other sizes, directions and spacings are other volumes, uneven steps are told", "[scans]") {
  test::Folder dir;
  auto files = slices(dir, {0, 4, 8.5, 12}, "1.2");
  CHECK(sort_into_volumes(files)[0].notes[0] == "its slices are unevenly spaced: 3.5 to 4.5 mm");
  files[0].info.rows = 3;
  files[1].frames[0].spacing->rows = 2;
  files[2].frames[0].plane->along_rows = {0, 0, 1};
  CHECK(sort_into_volumes(files).size() == 4);
  // Without a place frames belong together only in one file.
  for (ScanFile& f : files) f.frames[0].plane.reset();
  files.front().frames.resize(2);
  const auto volumes = sort_into_volumes(files);
  REQUIRE(volumes.size() == 4);
  CHECK(volumes[0].slices.size() == 2);
  CHECK(volumes[0].notes[0] == "nothing says where its frames lie: they are in the order of the file");
}
