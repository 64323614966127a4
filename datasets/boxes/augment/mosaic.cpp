#include "datasets/boxes/augment/mosaic.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "datasets/boxes/augment/view.hpp"

namespace fovea {
namespace {

// From a quarter of the length to three quarters.
int draw_middle(int length, Random& random) { return static_cast<int>(std::lround(length * (0.25 + random.uniform() / 2))); }

}  // namespace

void add_mosaic(BoxPicture& canvas, const BoxPicture& picture, const AnotherPicture& another, const Preprocess& p,
                const BoxAugment& a, Random& random) {
  const int width = canvas.pixels.cols, height = canvas.pixels.rows, x = draw_middle(width, random),
            y = draw_middle(height, random);
  std::array<cv::Rect, 4> cells{cv::Rect(0, 0, x, y), cv::Rect(x, 0, width - x, y), cv::Rect(0, y, x, height - y),
                                cv::Rect(x, y, width - x, height - y)};
  std::swap(cells[0], cells[static_cast<std::size_t>(random.below(4))]);
  for (const cv::Rect& cell : cells) {
    const BoxPicture shown = &cell == &cells[0] ? picture : another(random);
    if (!cell.empty())
      add_view(canvas, shown, draw_view(shown, cell, p, a, random), a, random);  // a canvas of one pixel has no quarters
  }
}

}  // namespace fovea
