// Super-resolution data: random patches of photographs for training, whole image pairs for validation.
#pragma once

#include <filesystem>
#include <functional>
#include <opencv2/core.hpp>
#include <optional>
#include <vector>

#include "datasets/bad_file.hpp"
#include "datasets/degrade.hpp"
#include "datasets/preprocess.hpp"
#include "modules/core/glob.hpp"
#include "modules/train/batch_source.hpp"

namespace fovea {

// One 8-bit photograph, BGR (or grey, in validation sets only: its luminance is the grey itself), cut to a multiple of the scale, and its low-resolution image (MATLAB's antialiased bicubic).
struct ImagePair {
  std::string name;
  cv::Mat high, low;
};

// What load_pairs does not take.
struct PairsLeftOut {
  int too_small = 0;         // images whose low-resolution side is under the patch
  std::vector<BadFile> bad;  // that cannot be read, or are of formats that are not
};
// Every image below the folders, sorted by path, but for those whose file's name is unwanted. Error when none is left.
std::vector<ImagePair> load_pairs(const std::vector<std::filesystem::path>& folders, int scale, int patch,
                                  PairsLeftOut* left_out = nullptr, const Glob& unwanted = {});

// Random patches with flips and quarter turns. Batch k depends on (seed, k) alone. With `degrade` the small patch is made from the large picture
// as that says; what surrounds the patch goes along, so that its edges are those of a piece of a picture and JPEG's blocks lie anywhere.
class PatchSource final : public BatchSource {
 public:
  struct Options {
    int scale = 2, patch = 48, batch = 16;  // patch: side in low-resolution pixels
    std::uint64_t seed = 0;
    Preprocess preprocess = Preprocess::none(3);  // the network's range and order of colours, of patches and targets alike
    std::optional<Degrade> degrade = {};
  };
  PatchSource(std::vector<ImagePair> pairs, const Options& options);
  Batch batch(std::int64_t number) const override;

 private:
  cv::Mat degraded_patch(const ImagePair& pair, cv::Rect patch, int orientation, Random& random) const;

  std::vector<ImagePair> pairs_;
  std::vector<double> cumulative_;  // images are drawn by area, so that every pixel is as likely
  Options options_;
};

// RGB 0..1, 1 x 3 x H x W from an 8-bit image of 1 or 3 channels; and back, rounded and clamped to 8-bit BGR.
Tensor to_tensor(const cv::Mat& bgr);
cv::Mat to_image(const Tensor& rgb);

// A validation set: a folder with x2/HR, x2/LR, x3/HR ... whose images match in order of name, or a plain folder of photographs, from
// which the low-resolution images are made.
struct EvalSet {
  std::string name;
  std::vector<ImagePair> pairs;
  std::vector<BadFile> left_out;
};
EvalSet load_eval_set(const std::filesystem::path& folder, int scale);

struct EvalRow {
  std::string image;
  double psnr = 0, ssim = 0;  // of the model, on Y, border = scale
  double bicubic_psnr = 0, bicubic_ssim = 0;
};
struct EvalTable {
  std::string set;
  std::vector<EvalRow> rows;
  EvalRow mean() const;
};
// `upscale` makes an 8-bit image of `scale` times the size, grey from grey. Measured on 8 bits, as images are saved.
EvalTable evaluate_upscaling(const EvalSet& set, int scale, const std::function<cv::Mat(const cv::Mat&)>& upscale);

}  // namespace fovea
