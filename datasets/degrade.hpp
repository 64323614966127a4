// What happens to a photograph between the lens and a small file on the web: blur, shrinking, noise, JPEG. Training pairs for
// super-resolution are made by it, so that a network learns to undo what real pictures suffered (as Zhang et al. 2021, arXiv:2103.14006,
// and Wang et al. 2021, arXiv:2107.10833, in one round). Everything is drawn from the generator that is given.
#pragma once

#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "modules/core/random.hpp"
#include "modules/io/yaml.hpp"

namespace fovea {

struct Range {
  double low = 0, high = 0;
};

struct Degrade {
  double share = 1;  // of the patches; the others stay clean: bicubic alone
  // 1. Gaussian kernel, sigma in pixels of the large picture. An anisotropic one has two of them, and any direction.
  Range blur{};
  double blur_share = 1, anisotropic = 0.5;
  // 2. Shrinking, each kind as likely: area (means), bilinear (of the four nearest pixels: it aliases), bicubic (imresize).
  std::vector<std::string> resize{"bicubic"};
  // 3. Noise, in 8-bit levels of the small picture: Gaussian, or Poisson's, whose standard deviation is that of white and falls with the root
  // of the brightness. Where both are given, either is as likely. `grey_noise`: share of the noise that is the same in all channels.
  Range noise{}, poisson{};
  double noise_share = 1, grey_noise = 0.4;
  // 4. Quality of libjpeg, 4:2:0. From 101: none.
  Range jpeg{101, 101};
  double jpeg_share = 1;
};

// Keys: the members. Ranges are [low, high]. Error for others, and for values that mean nothing.
Degrade read_degrade(const Yaml& y);
Degrade read_degrade(Args& args);  // leaves the others to the caller

// Steps 1 to 4 on CV_8UC3 of a multiple of `scale`: CV_8UC3 of 1 / scale of its size, its pixels' middles on those of the large ones.
cv::Mat degraded(const cv::Mat& high, int scale, const Degrade& d, Random& random);

// A Poisson-distributed number of that mean.
double poisson(double mean, Random& random);

}  // namespace fovea
