#include "datasets/super_resolution.hpp"

#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "datasets/image.hpp"
#include "datasets/metrics/image_quality.hpp"
#include "datasets/resize.hpp"
#include "datasets/walk.hpp"
#include "modules/core/random.hpp"

namespace fovea {
namespace {

namespace fs = std::filesystem;

constexpr int kSurroundings = 8;  // low-resolution pixels around a patch that degrade with it, at least
constexpr int kJpegBlock = 16;    // of colour at half resolution

cv::Mat as_bgr(const cv::Mat& image) {
  if (image.channels() == 3) return image;
  cv::Mat bgr;
  cv::cvtColor(image, bgr, cv::COLOR_GRAY2BGR);
  return bgr;
}

ImagePair make_pair(const fs::path& file, int scale) {
  const cv::Mat whole = read_photo(file);
  const cv::Mat high = whole(cv::Rect(0, 0, whole.cols / scale * scale, whole.rows / scale * scale)).clone();
  if (high.empty()) return {file.stem().string(), high, {}};
  // Public training and test images repeat edge pixels; see resize.hpp.
  return {file.stem().string(), high, imresize(high, cv::Size(high.cols / scale, high.rows / scale), Edge::repeat)};
}

// One patch as 8-bit BGR, flipped and turned by three random bits; the same for both resolutions.
cv::Mat oriented(const cv::Mat& image, const cv::Rect& area, int orientation) {
  cv::Mat patch = image(area).clone();
  if (orientation & 1) cv::flip(patch, patch, 1);
  if (orientation & 2) cv::flip(patch, patch, 0);
  if (orientation & 4) cv::transpose(patch, patch);
  return patch;
}

Preprocess of_size(Preprocess p, int side) {
  p.height = p.width = side;
  return p;
}

}  // namespace

std::vector<ImagePair> load_pairs(const std::vector<fs::path>& folders, int scale, int patch, PairsLeftOut* left_out,
                                  const Glob& unwanted) {
  std::vector<ImagePair> pairs;
  PairsLeftOut out;
  for (const fs::path& folder : folders) {
    const FolderImages found = images_below(folder);
    out.bad.insert(out.bad.end(), found.left_out.begin(), found.left_out.end());
    for (const fs::path& file : found.files) {
      if (unwanted.matches(file.filename().string())) continue;
      try {
        ImagePair pair = make_pair(file, scale);
        if (std::min(pair.low.rows, pair.low.cols) >= patch) pairs.push_back({pair.name, as_bgr(pair.high), as_bgr(pair.low)});
        else ++out.too_small;
      } catch (const std::exception& e) { out.bad.push_back(bad_file(file, e)); }
    }
  }
  check(!pairs.empty(), "training data: no image of at least ", patch * scale, "x", patch * scale, " pixels",
        out.bad.empty() ? "" : "; " + std::to_string(out.bad.size()) + " left out, the first: " + out.bad.front().reason);
  if (left_out) *left_out = std::move(out);
  return pairs;
}

PatchSource::PatchSource(std::vector<ImagePair> pairs, const Options& options) : pairs_(std::move(pairs)), options_(options) {
  check(!pairs_.empty(), "training data: no images");
  double total = 0;
  for (const ImagePair& p : pairs_)
    check(std::min(p.low.rows, p.low.cols) >= options_.patch, "training data: ", p.name, " is smaller than a patch of ",
          options_.patch);
  for (const ImagePair& p : pairs_) cumulative_.push_back(total += static_cast<double>(p.low.total()));
}

// The picture is turned first: kernels, blocks and colour's coarser grid then have any direction to what it shows.
cv::Mat PatchSource::degraded_patch(const ImagePair& pair, cv::Rect patch, int orientation, Random& random) const {
  const auto margin = [&] { return kSurroundings + static_cast<int>(random.below(kJpegBlock)); };
  const int left = margin(), top = margin(), right = margin(), bottom = margin(), s = options_.scale;
  const cv::Rect window = cv::Rect(patch.x - left, patch.y - top, left + patch.width + right, top + patch.height + bottom) &
                          cv::Rect(0, 0, pair.low.cols, pair.low.rows);
  const cv::Rect large(window.x * s, window.y * s, window.width * s, window.height * s);
  cv::Rect inside(patch.x - window.x, patch.y - window.y, patch.width, patch.height);
  if (orientation & 1) inside.x = window.width - inside.x - inside.width;
  if (orientation & 2) inside.y = window.height - inside.y - inside.height;
  if (orientation & 4) std::swap(inside.x, inside.y), std::swap(inside.width, inside.height);
  return degraded(oriented(pair.high, large, orientation), s, *options_.degrade, random)(inside);
}

Batch PatchSource::batch(std::int64_t number) const {
  const int s = options_.scale, p = options_.patch;
  Random random(options_.seed, static_cast<std::uint64_t>(number) + 1);
  Batch batch{{{"image", Tensor::empty({options_.batch, 3, p, p}, DType::f32, Layout::channels_last)}},
              {{"image", Tensor::empty({options_.batch, 3, p * s, p * s}, DType::f32, Layout::channels_last)}}};
  for (int i = 0; i < options_.batch; ++i) {
    const double at = random.uniform() * cumulative_.back();
    const auto index =
        static_cast<std::size_t>(std::upper_bound(cumulative_.begin(), cumulative_.end() - 1, at) - cumulative_.begin());
    const ImagePair& pair = pairs_[index];
    const int x = static_cast<int>(random.below(pair.low.cols - p + 1)),
              y = static_cast<int>(random.below(pair.low.rows - p + 1));
    const int orientation = static_cast<int>(random.below(8));
    const bool worse = options_.degrade && random.uniform() < options_.degrade->share;
    normalise_into(
        batch.input(), i,
        worse ? degraded_patch(pair, {x, y, p, p}, orientation, random) : oriented(pair.low, {x, y, p, p}, orientation),
        of_size(options_.preprocess, p));
    normalise_into(batch.target(), i, oriented(pair.high, {x * s, y * s, p * s, p * s}, orientation),
                   of_size(options_.preprocess, p * s));
  }
  return batch;
}

Tensor to_tensor(const cv::Mat& image) {
  check(image.type() == CV_8UC1 || image.type() == CV_8UC3, "to_tensor: expected 8 bit and 1 or 3 channels");
  return preprocess(image, Preprocess::none(3)).tensor;
}

cv::Mat to_image(const Tensor& rgb) {
  const Tensor t = rgb.to(DType::f32).contiguous(Layout::channels_last);
  check(t.rank() == 4 && t.dim(0) == 1 && t.dim(1) == 3, "to_image: expected 1 x 3 x H x W, got ", t.shape());
  cv::Mat floats(static_cast<int>(t.dim(2)), static_cast<int>(t.dim(3)), CV_32FC3, const_cast<void*>(t.raw())), bgr;
  floats.convertTo(bgr, CV_8U, 255.0);
  cv::cvtColor(bgr, bgr, cv::COLOR_RGB2BGR);
  return bgr;
}

EvalSet load_eval_set(const fs::path& folder, int scale) {
  EvalSet set;
  set.name = folder.filename().empty() ? folder.parent_path().filename().string() : folder.filename().string();
  const auto add = [&](const fs::path& file, const std::function<ImagePair()>& read) {
    try {
      set.pairs.push_back(read());
    } catch (const std::exception& e) { set.left_out.push_back(bad_file(file, e)); }
  };
  const auto found_in = [&](const fs::path& where) {
    FolderImages found = images_below(where);
    set.left_out.insert(set.left_out.end(), found.left_out.begin(), found.left_out.end());
    return std::move(found.files);
  };
  const fs::path prepared = folder / ("x" + std::to_string(scale));
  if (!fs::is_directory(prepared / "HR")) {
    for (const fs::path& file : found_in(folder)) add(file, [&] { return make_pair(file, scale); });
  } else {
    const auto high = found_in(prepared / "HR"), low = found_in(prepared / "LR");
    check(high.size() == low.size(), prepared.string(), ": HR has ", high.size(), " images, LR ", low.size());
    for (std::size_t i = 0; i < high.size(); ++i)
      add(high[i], [&] { return ImagePair{high[i].stem().string(), read_photo(high[i]), read_photo(low[i])}; });
  }
  check(!set.pairs.empty(), folder.string(), ": no images for x", scale,
        set.left_out.empty() ? "" : "; left out: " + set.left_out.front().reason);
  const int least = kSsimWindow + 2 * scale;  // a border of `scale` pixels is cut off
  for (const ImagePair& p : set.pairs)
    check(!p.low.empty() && p.high.cols == p.low.cols * scale && p.high.rows == p.low.rows * scale, folder.string(), ": ", p.name,
          ": the pair is not x", scale);
  for (const ImagePair& p : set.pairs)
    check(std::min(p.high.cols, p.high.rows) >= least, folder.string(), ": ", p.name, ": ", p.high.cols, "x", p.high.rows,
          " pixels are too few to measure; expected ", least, "x", least, " at least");
  return set;
}

EvalRow EvalTable::mean() const {
  EvalRow m{"mean"};
  const double n = static_cast<double>(rows.size());
  for (const EvalRow& r : rows)
    m.psnr += r.psnr / n, m.ssim += r.ssim / n, m.bicubic_psnr += r.bicubic_psnr / n, m.bicubic_ssim += r.bicubic_ssim / n;
  return m;
}

EvalTable evaluate_upscaling(const EvalSet& set, int scale, const std::function<cv::Mat(const cv::Mat&)>& upscale) {
  EvalTable table{set.name, {}};
  for (const ImagePair& pair : set.pairs) {
    const cv::Mat image = upscale(pair.low), bicubic = imresize(pair.low, pair.high.size());
    table.rows.push_back({pair.name, psnr_y(image, pair.high, scale), ssim_y(image, pair.high, scale),
                          psnr_y(bicubic, pair.high, scale), ssim_y(bicubic, pair.high, scale)});
  }
  return table;
}

}  // namespace fovea
