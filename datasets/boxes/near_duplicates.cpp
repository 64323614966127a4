#include "datasets/boxes/near_duplicates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "modules/core/error.hpp"
#include "modules/core/threads.hpp"

namespace fovea {
namespace {

constexpr int kFrequencies = 8, kMostBits = 8, kRefine = 2;
constexpr double kLeastShared = 0.75, kLeastCorrelation = 0.9, kPlain = 1;  // the last in grey levels
constexpr std::size_t kMostTried = 16;

cv::Mat cosines() {
  cv::Mat basis(kFrequencies, PictureSketch::kWindow, CV_32F);
  for (int k = 0; k < basis.rows; ++k)
    for (int i = 0; i < basis.cols; ++i) basis.at<float>(k, i) = static_cast<float>(std::cos(CV_PI * (i + 0.5) * k / basis.cols));
  return basis;
}

std::uint64_t hash_of(const cv::Mat& window, const cv::Mat& basis) {
  const cv::Mat spectrum = basis * window * basis.t();
  constexpr std::size_t kCount = kFrequencies * kFrequencies - 1;  // without the mean
  std::array<float, kCount> values{}, sorted{};
  std::copy_n(spectrum.ptr<float>() + 1, kCount, values.begin());
  sorted = values;
  std::nth_element(sorted.begin(), sorted.begin() + kCount / 2, sorted.end());
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i < kCount; ++i) hash |= std::uint64_t{values[i] > sorted[kCount / 2]} << i;
  return hash;
}

// Of what both show where b lies at `shift` on a.
double correlation(const cv::Mat& a, const cv::Mat& b, cv::Point shift) {
  const cv::Rect on_a = cv::Rect(shift, b.size()) & cv::Rect({}, a.size());
  const int n = on_a.area();
  double sum_a = 0, sum_b = 0, aa = 0, bb = 0, ab = 0;
  for (int y = on_a.y; y < on_a.br().y; ++y) {
    const std::uint8_t *row_a = a.ptr(y) + on_a.x, *row_b = b.ptr(y - shift.y) + on_a.x - shift.x;
    for (int x = 0; x < on_a.width; ++x) {
      const double va = row_a[x], vb = row_b[x];
      sum_a += va, sum_b += vb, aa += va * va, bb += vb * vb, ab += va * vb;
    }
  }
  const double variance = (aa - sum_a * sum_a / n) * (bb - sum_b * sum_b / n);
  return variance > 0 ? (ab - sum_a * sum_b / n) / std::sqrt(variance) : 0;
}

double shared_area(cv::Point shift) {
  constexpr double kSide = PictureSketch::kSide;
  return (1 - std::abs(shift.x) / kSide) * (1 - std::abs(shift.y) / kSide);
}

struct Candidate {
  int bits = 0;
  std::size_t index = 0;
  cv::Point shift;  // of the other picture on this one
};

// The other's window that is most like this picture's middle.
Candidate compare(const PictureSketch& picture, const PictureSketch& other, std::size_t index) {
  constexpr int kWindows = PictureSketch::kWindows, kMiddle = kWindows / 2;
  Candidate best{64, index, {}};
  for (int row = 0; row < kWindows; ++row)
    for (int column = 0; column < kWindows; ++column)
      if (const int bits = std::popcount(picture.middle() ^ other.hash(column, row)); bits < best.bits) {
        best.bits = bits;
        best.shift = cv::Point(kMiddle - column, kMiddle - row) * PictureSketch::kStep;
      }
  return best;
}

std::optional<NearDuplicate> confirm(const PictureSketch& picture, const PictureSketch& other, const Candidate& candidate) {
  NearDuplicate best{candidate.index, 0, 0};
  for (int dy = -kRefine; dy <= kRefine; ++dy)
    for (int dx = -kRefine; dx <= kRefine; ++dx) {
      const cv::Point shift = candidate.shift + cv::Point(dx, dy);
      const double alike = correlation(picture.grey(), other.grey(), shift);
      if (alike > best.correlation) best.correlation = alike, best.shared = shared_area(shift);
    }
  if (best.correlation < kLeastCorrelation || best.shared < kLeastShared) return std::nullopt;
  return best;
}

}  // namespace

PictureSketch::PictureSketch(const cv::Mat& picture) {
  check(!picture.empty() && picture.dims == 2 && (picture.depth() == CV_8U || picture.depth() == CV_16U),
        "near duplicates: expected a picture of 8 or 16 bits, got OpenCV type ", picture.type());
  cv::Mat grey = picture;
  cv::resize(picture, grey, {kSide, kSide}, 0, 0, cv::INTER_AREA);
  if (grey.channels() > 1) cv::cvtColor(grey, grey, grey.channels() == 4 ? cv::COLOR_BGRA2GRAY : cv::COLOR_BGR2GRAY);
  grey.convertTo(grey_, CV_8U, grey.depth() == CV_16U ? 1.0 / 257 : 1);
  cv::Scalar mean, deviation;
  cv::meanStdDev(grey_, mean, deviation);
  plain_ = deviation[0] < kPlain;
  if (plain_) return;
  static const cv::Mat basis = cosines();
  cv::Mat values;
  grey_.convertTo(values, CV_32F);
  for (int row = 0; row < kWindows; ++row)
    for (int column = 0; column < kWindows; ++column)
      hashes_[static_cast<std::size_t>(row * kWindows + column)] =
          hash_of(values(cv::Rect(column * kStep, row * kStep, kWindow, kWindow)), basis);
}

std::optional<NearDuplicate> near_duplicate(const PictureSketch& picture, const std::vector<PictureSketch>& others) {
  if (picture.plain()) return std::nullopt;
  std::vector<Candidate> candidates;
  for (std::size_t i = 0; i < others.size(); ++i) {
    if (others[i].plain()) continue;
    const Candidate candidate = compare(picture, others[i], i);
    if (candidate.bits <= kMostBits) candidates.push_back(candidate);
  }
  const std::size_t tried = std::min(candidates.size(), kMostTried);
  std::partial_sort(
      candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(tried), candidates.end(),
      [](const Candidate& a, const Candidate& b) { return std::pair(a.bits, a.index) < std::pair(b.bits, b.index); });
  for (std::size_t i = 0; i < tried; ++i)
    if (const auto found = confirm(picture, others[candidates[i].index], candidates[i])) return found;
  return std::nullopt;
}

std::vector<std::optional<NearDuplicate>> near_duplicates(const std::vector<PictureSketch>& pictures,
                                                          const std::vector<PictureSketch>& others) {
  std::vector<std::optional<NearDuplicate>> found(pictures.size());
  parallel_blocks(std::ssize(found), [&](std::int64_t i) {
    found[static_cast<std::size_t>(i)] = near_duplicate(pictures[static_cast<std::size_t>(i)], others);
  });
  return found;
}

std::string near_duplicate_text(const NearDuplicate& found, const std::filesystem::path& other, const std::string& part) {
  return fmt::format("shows {:.0f} % of {} in '{}', correlation {:.3f}", 100 * found.shared, other.string(), part,
                     found.correlation);
}

}  // namespace fovea
