#include "datasets/boxes/augment/copy_paste.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "datasets/boxes/augment/view.hpp"

namespace fovea {
namespace {

constexpr std::int64_t kMostPasted = 6;
constexpr int kPlaces = 10;          // tried for each object
constexpr double kNeighbour = 0.5;   // share of another object inside a pasted box from which on it counts
constexpr double kLeastSide = 4;     // of a pasted box, in pixels
constexpr double kMostHidden = 0.2;  // of an object on the canvas, by all that is pasted

// What share of each object on the canvas is hidden already.
using Hidden = std::vector<double>;

double hidden_by(const Box& pasted, const Annotation& object) { return intersection(pasted, object.box) / object.box.area(); }

bool hides_little(const Box& pasted, const std::vector<Annotation>& objects, const Hidden& hidden) {
  for (std::size_t i = 0; i < objects.size(); ++i)
    if (!objects[i].ignored && hidden[i] + hidden_by(pasted, objects[i]) > kMostHidden) return false;
  return true;
}

// How much of a line of pixels is pasted: all of it inside the box, less and less within `soft` pixels around it.
std::vector<float> ramp(int begin, int count, double low, double high, double soft) {
  std::vector<float> share;
  for (int i = 0; i < count; ++i) {
    const double middle = begin + i + 0.5, outside = std::max({low - middle, middle - high, 0.0});
    share.push_back(static_cast<float>(std::max(0.0, 1 - outside / soft)));
  }
  return share;
}

void blend(const cv::Mat& patch, cv::Mat onto, const std::vector<float>& columns, const std::vector<float>& rows) {
  for (int y = 0; y < patch.rows; ++y) {
    const auto* from = patch.ptr<cv::Vec3b>(y);
    auto* to = onto.ptr<cv::Vec3b>(y);
    for (int x = 0; x < patch.cols; ++x) {
      const float share = columns[static_cast<std::size_t>(x)] * rows[static_cast<std::size_t>(y)];
      for (int c = 0; c < 3; ++c)
        to[x][c] =
            cv::saturate_cast<std::uint8_t>(static_cast<float>(to[x][c]) + share * static_cast<float>(from[x][c] - to[x][c]));
    }
  }
}

// `view` lies so that the object is where it shall be pasted, as `box`.
void paste(BoxPicture& canvas, const BoxPicture& donor, View view, const Box& box, const BoxAugment& a, Random& random) {
  const cv::Rect all({0, 0}, canvas.pixels.size());
  const double soft = std::clamp(0.1 * std::min(box.width(), box.height()), 1.0, 8.0);
  view.cell = to_pixels({box.x1 - soft, box.y1 - soft, box.x2 + soft, box.y2 + soft}) & all;
  const cv::Rect window = view.window();
  View apart = view;  // on a canvas of its own, which lies where the window does
  apart.whole -= window.tl(), apart.cell = cv::Rect({0, 0}, window.size());
  BoxPicture patch{cv::Mat(window.size(), CV_8UC3), {}};
  add_view(patch, {donor.pixels, {}}, apart, a, random);
  blend(patch.pixels, canvas.pixels(window), ramp(window.x, window.width, box.x1, box.x2, soft),
        ramp(window.y, window.height, box.y1, box.y2, soft));
  view.cell = to_pixels(box) & all;
  const std::vector<Annotation> pasted = in_sight(donor.annotations, view, std::max(a.min_visible, kNeighbour));
  canvas.annotations.insert(canvas.annotations.end(), pasted.begin(), pasted.end());
}

// A whole number of pixels that moves [low, high] into [0, room]; nothing where it does not fit.
std::optional<int> draw_shift(double low, double high, int room, Random& random) {
  const double least = std::ceil(-low), most = std::floor(room - high);
  if (most < least) return std::nullopt;
  return static_cast<int>(least) + static_cast<int>(random.below(static_cast<std::int64_t>(most - least) + 1));
}

// Moves the view so that `box` of its picture lies on the canvas and hides little; false where no such place was found.
bool draw_place(View& view, const Box& box, const BoxPicture& canvas, const Hidden& hidden, Random& random) {
  const cv::Rect drawn = view.whole;
  const Box b = view.to_canvas(box);
  if (b.width() < kLeastSide || b.height() < kLeastSide) return false;
  for (int attempt = 0; attempt < kPlaces; ++attempt) {
    const auto x = draw_shift(b.x1, b.x2, canvas.pixels.cols, random), y = draw_shift(b.y1, b.y2, canvas.pixels.rows, random);
    if (!x || !y) return false;
    view.whole = drawn + cv::Point(*x, *y);
    if (hides_little(view.to_canvas(box), canvas.annotations, hidden)) return true;
  }
  return false;
}

// The objects of `donor` that are pasted, whole boxes on it.
std::vector<Box> draw_objects(const BoxPicture& donor, Random& random) {
  std::vector<Box> objects;
  for (const Annotation& o : donor.annotations) {
    const Box box = clipped(o.box, donor.pixels.size());
    if (!o.ignored && is_valid(box)) objects.push_back(box);
  }
  if (objects.empty()) return objects;
  const auto count = static_cast<std::int64_t>(objects.size());
  const std::int64_t wanted = 1 + random.below(std::min(count, kMostPasted));
  for (std::int64_t i = 0; i < wanted; ++i)
    std::swap(objects[static_cast<std::size_t>(i)], objects[static_cast<std::size_t>(i + random.below(count - i))]);
  objects.resize(static_cast<std::size_t>(wanted));
  return objects;
}

}  // namespace

void paste_objects(BoxPicture& canvas, const BoxPicture& donor, const Preprocess& p, const BoxAugment& a, Random& random) {
  Hidden hidden(canvas.annotations.size(), 0);
  for (const Box& object : draw_objects(donor, random)) {
    View view = draw_view(donor, cv::Rect({0, 0}, canvas.pixels.size()), p, a, random);
    if (!draw_place(view, object, canvas, hidden, random)) continue;
    const Box box = view.to_canvas(object);
    for (std::size_t i = 0; i < hidden.size(); ++i) hidden[i] += hidden_by(box, canvas.annotations[i]);
    paste(canvas, donor, view, box, a, random);
    hidden.resize(canvas.annotations.size(), 0);
  }
}

}  // namespace fovea
