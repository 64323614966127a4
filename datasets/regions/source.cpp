#include "datasets/regions/source.hpp"

#include <algorithm>

#include "datasets/augment.hpp"
#include "datasets/channels.hpp"
#include "datasets/photos.hpp"
#include "datasets/preprocess.hpp"
#include "datasets/regions/split.hpp"

namespace fovea {
namespace {

constexpr std::size_t kKeptPixels = 4096;  // of a class of a picture, spread evenly

std::vector<cv::Point> some_pixels(const cv::Mat& mask) {
  std::vector<cv::Point> all;
  cv::findNonZero(mask, all);
  if (all.size() <= kKeptPixels) return all;
  std::vector<cv::Point> kept;
  for (std::size_t i = 0; i < kKeptPixels; ++i) kept.push_back(all[i * all.size() / kKeptPixels]);
  return kept;
}

Tensor planes(std::int64_t n, std::size_t classes, cv::Size size) {
  return Tensor::empty({n, static_cast<std::int64_t>(classes), size.height, size.width}, DType::f32, Layout::channels_last);
}

// One class's plane of one sample.
void put_plane(Tensor& target, std::int64_t index, std::size_t c, const cv::Mat& values) {
  const std::int64_t classes = target.dim(1);
  float* to = target.data<float>() + index * values.rows * values.cols * classes + static_cast<std::int64_t>(c);
  for (int y = 0; y < values.rows; ++y)
    for (int x = 0; x < values.cols; ++x, to += classes) *to = values.at<float>(y, x);
}

cv::Mat as_f32(const cv::Mat& m, double factor = 1) {
  cv::Mat out;
  m.convertTo(out, CV_32F, factor);
  return out;
}

}  // namespace

RegionSource::RegionSource(std::vector<RegionPicture> pictures, RegionSourceOptions options) : options_(std::move(options)) {
  Preprocess& p = options_.preprocess;
  check(!pictures.empty(), "training data: there is no picture with regions");
  check(options_.crop > 0 || p.resize != Preprocess::Resize::none,
        "training data: expected a crop, since pictures keep their size");
  check(options_.crop >= 0 && options_.crop <= 16384 && options_.batch > 0,
        "training data: expected crop and batch of at least 1");
  crop_ = options_.crop > 0 ? cv::Size(options_.crop, options_.crop) : cv::Size(p.width, p.height);
  for (RegionPicture& raw : pictures) {
    const RegionPicture shown = fitted(raw, p);
    raw = {};
    Prepared made{with_channels(shown.values, p.channels), shown.truth.masks, {}, {}};
    for (std::size_t c = 0; c < made.masks.size(); ++c) {
      made.pixels.push_back(options_.balance > 0 ? some_pixels(made.masks[c]) : std::vector<cv::Point>{});
      const cv::Mat& objects = shown.truth.objects[c];
      if (options_.distance)
        made.distances.push_back(object_distance(objects.empty() ? connected_regions(made.masks[c]) : objects));
    }
    pictures_.push_back(std::move(made));
  }
  if (options_.crop == 0) border_ = padding_colour(p) / 255;
  p.resize = Preprocess::Resize::stretch;
  p.height = crop_.height, p.width = crop_.width;
}

// So that the crop's pixels lie on those of the picture: between them values would be blurred.
cv::Point2d RegionSource::centre_of(const Prepared& picture, Random& random) const {
  const cv::Size size = picture.values.size();
  const auto from_start = [&](cv::Point2d start) {
    return start + cv::Point2d((crop_.width - 1) / 2.0, (crop_.height - 1) / 2.0);
  };
  if (options_.crop == 0) return {(size.width - 1) / 2.0, (size.height - 1) / 2.0};
  std::vector<const std::vector<cv::Point>*> there;
  for (const auto& pixels : picture.pixels)
    if (!pixels.empty()) there.push_back(&pixels);
  if (random.uniform() < options_.balance && !there.empty()) {
    const auto& pixels = *there[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(there.size())))];
    const cv::Point pixel = pixels[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(pixels.size())))];
    return from_start(cv::Point2d(pixel) - cv::Point2d(crop_.width / 2, crop_.height / 2));
  }
  // Anywhere within the picture; in the middle of one that is smaller.
  const auto start = [&](int picture_side, int crop_side) {
    const int room = picture_side - crop_side;
    return static_cast<double>(room > 0 ? random.below(room + 1) : room / 2);
  };
  const double x = start(size.width, crop_.width), y = start(size.height, crop_.height);
  return from_start({x, y});
}

void RegionSource::put(Batch& batch, std::int64_t index, const Prepared& picture, Random& random) const {
  // What lies outside is mirrored in a crop; where the whole picture is seen it is what `preprocess` puts there.
  const std::optional<cv::Scalar> values_border = options_.crop > 0 ? std::nullopt : std::optional(border_),
                                  truth_border = options_.crop > 0 ? std::nullopt : std::optional(cv::Scalar());
  const cv::Mat warp = random_warp(crop_, centre_of(picture, random), options_.augment, random);
  cv::Mat values = warped_values(picture.values, warp, values_border);
  change_values(values, options_.augment, random);
  normalise_into(batch.input(), index, values, options_.preprocess);
  for (std::size_t c = 0; c < picture.masks.size(); ++c) {
    const cv::Mat mask = warped_mask(picture.masks[c], warp, truth_border);
    put_plane(batch.targets.at("mask"), index, c, as_f32(mask));
    if (options_.distance)
      put_plane(batch.targets.at("distance"), index, c, warped_values(picture.distances[c], warp, truth_border));
    if (options_.edges)
      put_plane(batch.targets.at("edges"), index, c, as_f32(signed_distance(mask), 1.0 / std::max(mask.rows, mask.cols)));
  }
}

Batch RegionSource::batch(std::int64_t number) const {
  const std::int64_t n = options_.batch, count = static_cast<std::int64_t>(pictures_.size());
  const std::size_t classes = pictures_.front().masks.size();
  Batch batch{
      {{"image", Tensor::empty({n, options_.preprocess.channels, crop_.height, crop_.width}, DType::f32, Layout::channels_last)}},
      {{"mask", planes(n, classes, crop_)}}};
  if (options_.distance) batch.targets.add("distance", planes(n, classes, crop_));
  if (options_.edges) batch.targets.add("edges", planes(n, classes, crop_));
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t at = number * n + i;
    Random random(options_.seed, static_cast<std::uint64_t>(at) + 1);
    const auto which = shuffled(at % count, count, options_.seed, static_cast<std::uint64_t>(at / count));
    put(batch, i, pictures_[static_cast<std::size_t>(which)], random);
  }
  return batch;
}

}  // namespace fovea
