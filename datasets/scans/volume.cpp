#include "datasets/scans/volume.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace fovea {
namespace {

constexpr double kSamePlace = 0.01;           // mm
constexpr double kSameDirection = 1e-3;       // of a unit vector's part
constexpr double kSameSpacing = 1e-4;         // mm
constexpr double kUneven = 0.02, kGap = 1.5;  // of the median step

bool near(const Vec3& a, const Vec3& b, double slack) {
  for (std::size_t i = 0; i < 3; ++i)
    if (std::abs(a[i] - b[i]) > slack) return false;
  return true;
}

struct Frame {
  const ScanFile* file;
  Slice slice;
};

// Whether two frames may lie in one volume, wherever along the normal.
bool fit(const Frame& a, const Frame& b) {
  const ScanInfo &x = a.file->info, &y = b.file->info;
  if (x.series.empty() && a.file != b.file) return false;  // nothing says that they are one
  if (x.series != y.series || x.frame_of_reference != y.frame_of_reference || x.rows != y.rows || x.columns != y.columns)
    return false;
  const FrameInfo &f = a.slice.about, &g = b.slice.about;
  // Without a place only the frames of one file belong together.
  if (!f.plane || !g.plane) return !f.plane && !g.plane && a.file == b.file;
  if (f.spacing.has_value() != g.spacing.has_value()) return false;
  if (f.spacing && (std::abs(f.spacing->rows - g.spacing->rows) > kSameSpacing ||
                    std::abs(f.spacing->columns - g.spacing->columns) > kSameSpacing))
    return false;
  return near(f.plane->along_columns, g.plane->along_columns, kSameDirection) &&
         near(f.plane->along_rows, g.plane->along_rows, kSameDirection);
}

// Frames at one place go to volumes of their own, in the order in which they came.
std::vector<std::vector<Frame>> by_occurrence(std::vector<Frame> frames) {
  const Plane axis = *frames.front().slice.about.plane;
  const Vec3 n = axis.normal();
  const auto along = [&](const Frame& f) {
    const Vec3& o = f.slice.about.plane->origin;
    return dot(n, o);
  };
  std::stable_sort(frames.begin(), frames.end(), [&](const Frame& a, const Frame& b) { return along(a) < along(b); });
  std::vector<std::vector<Frame>> volumes;
  std::size_t occurrence = 0;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    occurrence = i > 0 && along(frames[i]) - along(frames[i - 1]) < kSamePlace ? occurrence + 1 : 0;
    if (volumes.size() <= occurrence) volumes.emplace_back();
    volumes[occurrence].push_back(frames[i]);
  }
  return volumes;
}

void measure_steps(Volume& v) {
  std::vector<double> steps;
  for (std::size_t i = 1; i < v.slices.size(); ++i) {
    const Plane &a = *v.slices[i - 1].about.plane, &b = *v.slices[i].about.plane;
    steps.push_back(dot(a.normal(), b.origin) - dot(a.normal(), a.origin));
  }
  if (steps.empty()) return;
  std::vector<double> sorted = steps;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2), sorted.end());
  v.step = sorted[sorted.size() / 2];
  bool uneven = false;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i] > kGap * *v.step)
      v.notes.push_back(
          fmt::format("a gap of {:.6g} mm behind slice {}; the others lie {:.6g} mm apart", steps[i], i + 1, *v.step));
    else uneven |= std::abs(steps[i] - *v.step) > kUneven * *v.step;
  }
  if (uneven)
    v.notes.push_back(fmt::format("its slices are unevenly spaced: {:.6g} to {:.6g} mm",
                                  *std::min_element(steps.begin(), steps.end()), *std::max_element(steps.begin(), steps.end())));
}

Volume volume_of(const std::vector<Frame>& frames) {
  const ScanInfo& info = frames.front().file->info;
  Volume v{info.series, info.rows, info.columns, {}, {}, {}};
  for (const Frame& f : frames) v.slices.push_back(f.slice);
  if (frames.front().slice.about.plane) measure_steps(v);
  else if (frames.size() > 1) v.notes.emplace_back("nothing says where its frames lie: they are in the order of the file");
  return v;
}

}  // namespace

ScanFile describe(const Scan& scan, const std::filesystem::path& file) {
  ScanFile out{file, scan.info(), {}};
  for (int i = 0; i < out.info.frames; ++i) out.frames.push_back(scan.frame_info(i));
  return out;
}

std::vector<Volume> sort_into_volumes(std::span<const ScanFile> files) {
  std::vector<std::vector<Frame>> groups;
  for (const ScanFile& file : files)
    for (std::size_t i = 0; i < file.frames.size(); ++i) {
      Frame frame{&file, {file.file, static_cast<int>(i), file.frames[i]}};
      const auto group = std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return fit(g.front(), frame); });
      if (group != groups.end()) group->push_back(std::move(frame));
      else groups.push_back({std::move(frame)});
    }
  std::vector<Volume> volumes;
  for (auto& group : groups) {
    if (!group.front().slice.about.plane) {
      volumes.push_back(volume_of(group));
      continue;
    }
    for (const auto& frames : by_occurrence(std::move(group))) volumes.push_back(volume_of(frames));
  }
  return volumes;
}

}  // namespace fovea
