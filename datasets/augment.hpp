// Random changes to training pictures. Everything is drawn from the generator that is given, so a picture is a function of its number.
#pragma once

#include <opencv2/core.hpp>

#include "modules/core/random.hpp"
#include "modules/preprocess.hpp"

namespace fovea {

struct Augment {
  // Random resized crop (Szegedy et al. 2014, arXiv:1409.4842): share of the area and proportions, as torchvision draws them. Without it the
  // picture is fitted as in validation.
  bool crop = true;
  double scale_low = 0.25, scale_high = 1, ratio_low = 3.0 / 4, ratio_high = 4.0 / 3;
  double flip = 0.5, flip_vertical = 0;  // probabilities
  // Colour jitter: factors are drawn from 1 - v to 1 + v, the turn of the hue from -v to v (1 is the whole circle).
  double brightness = 0, contrast = 0, saturation = 0, hue = 0;
  double grey = 0;  // probability of losing all colour
  // So many random changes of RandAugment (Cubuk et al. 2019, arXiv:1909.13719), each as strong as `magnitude` from 0 to 30 says.
  int rand_augment = 0;
  double magnitude = 9;
  double erase = 0;  // probability of a rectangle of noise: random erasing, Zhong et al. 2017, arXiv:1708.04896
  // Pictures and their labels blended in pairs; alpha of the Beta distribution that says how much, 0: never. Where both are given, either is as
  // likely. mixup: Zhang et al. 2017, arXiv:1710.09412; cutmix: Yun et al. 2019, arXiv:1905.04899.
  double mixup = 0, cutmix = 0;
  double mix_probability = 1;

  bool mixes() const { return mix_probability > 0 && (mixup > 0 || cutmix > 0); }
};

// Keys: crop, crop_scale, crop_ratio, flip, flip_vertical, brightness, contrast, saturation, hue, grey, rand_augment,
// magnitude, erase, mixup, cutmix, mix_probability. Error for others.
Augment read_augment(const Yaml& y);
Augment read_augment(Args& args);  // leaves the others to the caller
// Of them brightness, contrast, saturation, hue and grey.
void read_colour_jitter(Args& args, Augment& augment);

// u8 grey or BGR of any size in, u8 BGR of p's size out.
cv::Mat augmented(const cv::Mat& image, const Preprocess& p, const Augment& a, Random& random);

// The part of a width x height picture that a random resized crop takes.
cv::Rect random_crop(cv::Size size, const Augment& a, Random& random);

// What `preprocess` puts around a picture that does not fill the input: 0..255, BGR, all alike for a network of one channel. Error for other
// numbers of channels than 1 and 3.
cv::Scalar padding_colour(const Preprocess& p);

// A picture as validation sees it, before it is normalised: u8 BGR of p's size.
cv::Mat fitted(const cv::Mat& image, const Preprocess& p);

}  // namespace fovea
