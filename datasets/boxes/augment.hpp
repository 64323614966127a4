// Random changes to training pictures whose boxes move with them. Everything is drawn from the generator that is given, so a
// picture is a function of its number. All changes of place are parallel to the axes: boxes stay exact.
#pragma once

#include <functional>
#include <opencv2/core.hpp>
#include <vector>

#include "datasets/augment.hpp"
#include "datasets/boxes/placed.hpp"
#include "datasets/preprocess.hpp"
#include "modules/core/random.hpp"

namespace fovea {

struct BoxPicture {
  cv::Mat pixels;                       // u8, grey or BGR; not written to, so it may share its memory
  std::vector<Annotation> annotations;  // in pixels of it
};

struct BoxAugment {
  // Probabilities of what takes further pictures. Mosaic: four around a random centre (Bochkovskiy et al. 2020,
  // arXiv:2004.10934). Copy-paste: whole boxes of another picture, with soft edges, where they hide little (after Ghiasi et
  // al. 2020, arXiv:2012.07177). Mixup: another picture blended in by a share from Beta(alpha, alpha), the boxes of both stay
  // (Zhang et al. 2019, arXiv:1902.04103).
  double mosaic = 0, copy_paste = 0, mixup = 0, mixup_alpha = 8;
  // Size of the content relative to what `preprocess` makes of the picture, and how much wider or higher than itself (0.2: up
  // to 1.2 times).
  double scale_low = 0.5, scale_high = 1.5, aspect = 0;
  // Where the content lies: 0 puts it in the middle, 1 anywhere inside the picture, or anywhere over it where it is larger,
  // which crops. At least one object stays in sight where the picture has any.
  double translate = 1;
  double min_visible = 0.25;                           // objects of which a crop leaves a smaller share are ignored
  double flip = 0.5, flip_vertical = 0, rotate90 = 0;  // probabilities; rotate90 is a turn by 90, 180 or 270 degrees
  Augment colour;  // of it brightness, contrast, saturation, hue and grey alone count; drawn for each picture of a mosaic anew
  double blur = 0, noise = 0;  // the largest standard deviation of a Gaussian blur, in pixels, and of noise, in 8-bit levels

  bool takes_others() const { return mosaic > 0 || copy_paste > 0 || mixup > 0; }
};

// Keys: mosaic, copy_paste, mixup, mixup_alpha, scale ([low, high]), aspect, translate, min_visible, flip, flip_vertical,
// rotate90, brightness, contrast, saturation, hue, grey, blur, noise. Leaves other keys to the caller. Error for values that
// mean nothing.
BoxAugment read_box_augment(Args& args);

// Gives another picture of the data, drawn anew.
using AnotherPicture = std::function<BoxPicture(Random&)>;

// u8 BGR of p's size, which must be given (`resize: none` leaves the scale to the picture, not the size), and boxes that lie
// on it: clipped, valid, in pixels of it. An object of which less than min_visible is left in sight is ignored, one of less
// than a twentieth is removed. Padding has the colour that `preprocess` says. `another` is called only where
// a.takes_others().
BoxPicture augmented(const BoxPicture& picture, const AnotherPicture& another, const Preprocess& p, const BoxAugment& a,
                     Random& random);

// The boxes of a picture as validation shows it to a network, clipped to what the network sees; those beside it are left out.
std::vector<Annotation> to_network(const std::vector<Annotation>& on_source, const Geometry& g);

}  // namespace fovea
