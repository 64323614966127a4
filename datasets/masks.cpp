#include "datasets/masks.hpp"

#include <algorithm>
#include <map>
#include <opencv2/imgproc.hpp>

#include "datasets/image.hpp"
#include "datasets/photos.hpp"
#include "datasets/preprocess.hpp"
#include "datasets/walk.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

MaskedPicture read_pair(const fs::path& file, const fs::path& mask_file, std::size_t classes) {
  MaskedPicture pair{file, mask_file, read_photo(file), read_mask(mask_file, classes)};
  check(pair.picture.size() == pair.mask.size(), mask_file.string(), ": expected a mask of ", pair.picture.cols, "x",
        pair.picture.rows, " pixels as its picture, got ", pair.mask.cols, "x", pair.mask.rows);
  return pair;
}

// A crop at (x, y) that may reach over the right and lower edge.
cv::Mat cropped(const cv::Mat& m, int x, int y, int side) {
  const cv::Rect inside = cv::Rect(x, y, side, side) & cv::Rect(0, 0, m.cols, m.rows);
  if (inside.width == side && inside.height == side) return m(inside).clone();
  cv::Mat out;
  cv::copyMakeBorder(m(inside), out, 0, side - inside.height, 0, side - inside.width, cv::BORDER_REFLECT);
  return out;
}

int start_of(int size, int side, Random& random) { return size > side ? static_cast<int>(random.below(size - side + 1)) : 0; }

}  // namespace

cv::Mat read_mask(const fs::path& file, std::size_t classes) {
  const cv::Mat pixels = read_image(file).pixels;
  check(pixels.channels() == 1, file.string(), ": a mask has one channel, this one has ", pixels.channels());
  cv::Mat mask(pixels.size(), CV_8U);
  if (classes == 1) {
    cv::Mat(pixels > 0).copyTo(mask);
    mask /= 255;
    return mask;
  }
  double low = 0, high = 0;
  cv::Mat values;
  pixels.convertTo(values, CV_32S);
  cv::minMaxLoc(values, &low, &high, nullptr, nullptr, values != kIgnoredLabel);
  check(high < static_cast<double>(classes), file.string(), ": the value ", high, " is none of the ", classes, " classes");
  values.convertTo(mask, CV_8U);
  return mask;
}

MaskedPictures read_masked(const std::vector<fs::path>& folders, std::size_t classes) {
  check(classes >= 1 && classes < kIgnoredLabel, "masks: expected 1 to 254 classes, got ", classes);
  MaskedPictures out;
  for (const fs::path& folder : folders) {
    const fs::path images = folder / "images", masks = folder / "masks";
    check(fs::is_directory(images) && fs::is_directory(masks), folder.string(), ": expected the folders images and masks inside");
    std::map<fs::path, fs::path> by_name;
    const FolderImages found = images_below(images), found_masks = images_below(masks);
    for (const fs::path& mask : found_masks.files) by_name[mask.lexically_relative(masks).replace_extension()] = mask;
    check(!found.files.empty(), images.string(), ": no images");
    for (const auto* all : {&found.left_out, &found_masks.left_out}) out.bad.insert(out.bad.end(), all->begin(), all->end());
    for (const fs::path& file : found.files) {
      const auto mask = by_name.find(file.lexically_relative(images).replace_extension());
      try {
        check(mask != by_name.end(), file.string(), ": there is no mask of that name in ", masks.string());
        out.all.push_back(read_pair(file, mask->second, classes));
      } catch (const std::exception& e) { out.bad.push_back(bad_file(file, e)); }
    }
  }
  return out;
}

MaskSource::MaskSource(std::vector<MaskedPicture> pictures, Options options)
    : pictures_(std::move(pictures)), options_(std::move(options)) {
  check(!pictures_.empty(), "training data: there is no picture with a mask");
  check(options_.crop > 0 && options_.crop <= 16384 && options_.batch > 0,
        "training data: expected crop and batch of at least 1");
  options_.preprocess.resize = Preprocess::Resize::stretch;
  options_.preprocess.height = options_.preprocess.width = options_.crop;
}

Batch MaskSource::batch(std::int64_t number) const {
  const Preprocess& p = options_.preprocess;
  const std::int64_t n = options_.batch, side = options_.crop, count = static_cast<std::int64_t>(pictures_.size());
  Batch batch{{{"image", Tensor::empty({n, p.channels, side, side}, DType::f32, Layout::channels_last)}},
              {{"mask", Tensor::empty({n, side, side}, DType::s64)}}};
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t at = number * n + i;
    Random random(options_.seed, static_cast<std::uint64_t>(at) + 1);
    const auto index = shuffled(at % count, count, options_.seed, static_cast<std::uint64_t>(at / count));
    const MaskedPicture& pair = pictures_[static_cast<std::size_t>(index)];
    const int x = start_of(pair.mask.cols, options_.crop, random), y = start_of(pair.mask.rows, options_.crop, random);
    cv::Mat picture = cropped(pair.picture, x, y, options_.crop), mask = cropped(pair.mask, x, y, options_.crop);
    const bool left_right = options_.flip && random.below(2) == 1, top_bottom = options_.flip_vertical && random.below(2) == 1;
    for (cv::Mat* m : {&picture, &mask}) {
      if (left_right) cv::flip(*m, *m, 1);
      if (top_bottom) cv::flip(*m, *m, 0);
    }
    normalise_into(batch.input(), i, picture, p);
    auto* to = batch.target().data<std::int64_t>() + i * side * side;
    for (int row = 0; row < mask.rows; ++row) to = std::copy_n(mask.ptr<std::uint8_t>(row), mask.cols, to);
  }
  return batch;
}

}  // namespace fovea
