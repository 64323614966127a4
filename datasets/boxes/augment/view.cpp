#include "datasets/boxes/augment/view.hpp"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <utility>

#include "datasets/augment/colour.hpp"
#include "modules/core/whole.hpp"

namespace fovea {
namespace {

constexpr double kLeastVisible = 0.05;  // of an object of which less is in sight nothing can be said
constexpr double kThinnest = 0.01;      // of a box, in pixels: what f32 still tells apart on the largest canvas
constexpr int kPlaces = 10;             // tried for one that shows an object

double between(double low, double high, Random& random) { return low + (high - low) * random.uniform(); }

// Turns follow each other: a quarter turn clockwise is a transposition and then a reflection.
void draw_turn(View& v, const BoxAugment& a, Random& random) {
  if (random.uniform() < a.rotate90) {
    const std::int64_t quarters = 1 + random.below(3);
    v.transposed = quarters != 2, v.mirrored = quarters != 3, v.upside_down = quarters != 1;
  }
  if (random.uniform() < a.flip) v.mirrored = !v.mirrored;
  if (random.uniform() < a.flip_vertical) v.upside_down = !v.upside_down;
}

int side(double wanted) {
  constexpr double kMost = 1e8;  // beyond every canvas; places on it still fit an int
  return whole<int>(std::clamp(std::round(wanted), 1.0, kMost), "augment: a picture's side");
}

cv::Size draw_size(const View& v, const Preprocess& p, const BoxAugment& a, Random& random) {
  const cv::Size turned = v.transposed ? cv::Size(v.source.height, v.source.width) : v.source;
  const cv::Size fitted = geometry_of(turned, p).resized();
  const double scale = between(a.scale_low, a.scale_high, random), widest = std::log(1 + a.aspect),
               wider = std::exp(between(-widest, widest, random) / 2);
  return {side(fitted.width * scale * wider), side(fitted.height * scale / wider)};
}

// The first pixel of what is `size` long in `room`; negative where it sticks out. The middle is that of Geometry.
int draw_start(int room, int size, double translate, Random& random) {
  const double free = room - size, at = free / 2 * (1 + translate * between(-1, 1, random));
  return static_cast<int>(free >= 0 ? std::ceil(at - 0.5) : std::nearbyint(at));
}

double visible_share(const Annotation& object, const View& v) {
  const Box all = v.to_canvas(clipped(object.box, v.source)), seen = common(all, to_box(v.window()));
  return is_valid(all) && is_valid(seen) ? seen.area() / all.area() : 0;
}

// Moves the view so that the middle of the object is in sight, as near to that of the cell as this goes without a gap.
void move_to(const Annotation& object, View& v) {
  const Box b = v.to_canvas(clipped(object.box, v.source));
  const auto start = [](int cell, int room, int at, int size, double middle) {
    const double wanted = at + cell + room / 2.0 - middle;
    return static_cast<int>(
        std::clamp<double>(std::round(wanted), cell + std::min(0, room - size), cell + std::max(0, room - size)));
  };
  v.whole.x = start(v.cell.x, v.cell.width, v.whole.x, v.whole.width, (b.x1 + b.x2) / 2);
  v.whole.y = start(v.cell.y, v.cell.height, v.whole.y, v.whole.height, (b.y1 + b.y2) / 2);
}

void draw_place(View& v, const std::vector<Annotation>& annotations, const BoxAugment& a, Random& random) {
  std::vector<const Annotation*> objects;
  for (const Annotation& o : annotations)
    if (!o.ignored && is_valid(clipped(o.box, v.source))) objects.push_back(&o);
  const bool chooses = !objects.empty() && a.translate > 0;
  for (int attempt = 0; attempt < kPlaces; ++attempt) {
    v.whole.x = v.cell.x + draw_start(v.cell.width, v.whole.width, a.translate, random);
    v.whole.y = v.cell.y + draw_start(v.cell.height, v.whole.height, a.translate, random);
    const auto shown = [&](const Annotation* o) { return visible_share(*o, v) >= std::max(a.min_visible, kLeastVisible); };
    if (!chooses || std::any_of(objects.begin(), objects.end(), shown)) return;
  }
  move_to(*objects[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(objects.size())))], v);
}

// A line of the picture in blocks of `factor` pixels, of which those from `first` are needed.
struct Blocks {
  int factor = 1, first = 0, count = 1;
};

// `whole` pixels of the canvas show `source`; the shares from `begin` to `end` of it are seen.
Blocks blocks_of(int source, int whole, double begin, double end) {
  Blocks b;
  b.factor = std::max(1, static_cast<int>(std::lround(static_cast<double>(source) / whole)));
  const int all = (source + b.factor - 1) / b.factor;
  const double scale = static_cast<double>(source) / b.factor;
  b.first = std::clamp(static_cast<int>(std::floor(begin * scale)) - 1, 0, all - 1);
  b.count = std::clamp(static_cast<int>(std::ceil(end * scale)) + 1 - b.first, 1, all - b.first);
  return b;
}

// Means of blocks: what linear interpolation takes afterwards is about as fine as the canvas.
cv::Mat block_means(const cv::Mat& pixels, const Blocks& x, const Blocks& y) {
  const cv::Rect wanted(x.first * x.factor, y.first * y.factor, x.count * x.factor, y.count * y.factor),
      inside = wanted & cv::Rect({0, 0}, pixels.size());
  cv::Mat area = pixels(inside), means;
  if (x.factor == 1 && y.factor == 1) return area;
  if (inside != wanted)  // the last block is not full
    cv::copyMakeBorder(area, area, 0, wanted.height - inside.height, 0, wanted.width - inside.width,
                       cv::BORDER_REPLICATE | cv::BORDER_ISOLATED);
  cv::resize(area, means, {x.count, y.count}, 0, 0, cv::INTER_AREA);
  return means;
}

// Along one axis of the canvas: the share of the picture at pixel i of the window is start + i * step, at the pixel's middle.
struct Axis {
  double start = 0, step = 0;
  Axis(int window, int at, int size, bool reversed) : start((window - at + 0.5) / size), step(1.0 / size) {
    if (reversed) start = 1 - start, step = -step;
  }
  std::pair<double, double> range(int count) const { return std::minmax({start - step / 2, start + step * (count - 0.5)}); }
};

}  // namespace

Box common(const Box& a, const Box& b) {
  return {std::max(a.x1, b.x1), std::max(a.y1, b.y1), std::min(a.x2, b.x2), std::min(a.y2, b.y2)};
}

Box View::to_canvas(const Box& b) const {
  Box r{b.x1 / source.width, b.y1 / source.height, b.x2 / source.width, b.y2 / source.height};
  if (transposed) r = {r.y1, r.x1, r.y2, r.x2};
  if (mirrored) r = {1 - r.x2, r.y1, 1 - r.x1, r.y2};
  if (upside_down) r = {r.x1, 1 - r.y2, r.x2, 1 - r.y1};
  return {whole.x + r.x1 * whole.width, whole.y + r.y1 * whole.height, whole.x + r.x2 * whole.width,
          whole.y + r.y2 * whole.height};
}

View draw_view(const BoxPicture& picture, const cv::Rect& cell, const Preprocess& p, const BoxAugment& a, Random& random) {
  View v;
  v.source = picture.pixels.size(), v.cell = cell;
  draw_turn(v, a, random);
  v.whole = cv::Rect({0, 0}, draw_size(v, p, a, random));
  draw_place(v, picture.annotations, a, random);
  return v;
}

void show(const cv::Mat& pixels, const View& v, cv::Mat& canvas) {
  const cv::Rect window = v.window();
  const Axis across(window.x, v.whole.x, v.whole.width, v.mirrored), down(window.y, v.whole.y, v.whole.height, v.upside_down);
  std::pair<double, double> columns = across.range(window.width), rows = down.range(window.height);
  cv::Size whole = v.whole.size();
  if (v.transposed) std::swap(columns, rows), std::swap(whole.width, whole.height);
  const Blocks x = blocks_of(v.source.width, whole.width, columns.first, columns.second),
               y = blocks_of(v.source.height, whole.height, rows.first, rows.second);
  const cv::Mat means = block_means(pixels, x, y);
  const double wide = static_cast<double>(v.source.width) / x.factor, high = static_cast<double>(v.source.height) / y.factor;
  // From the pixels of the window to those of `means`.
  const Axis &to_x = v.transposed ? down : across, &to_y = v.transposed ? across : down;
  cv::Matx23d back(to_x.step * wide, 0, to_x.start * wide - x.first - 0.5, 0, to_y.step * high,
                   to_y.start * high - y.first - 0.5);
  if (v.transposed) std::swap(back(0, 0), back(0, 1)), std::swap(back(1, 0), back(1, 1));
  cv::Mat shown, part = canvas(window);
  cv::warpAffine(means, shown, back, window.size(), cv::INTER_LINEAR | cv::WARP_INVERSE_MAP, cv::BORDER_REPLICATE);
  if (shown.channels() == 1) cv::cvtColor(shown, part, cv::COLOR_GRAY2BGR);
  else shown.copyTo(part);
}

std::vector<Annotation> in_sight(const std::vector<Annotation>& annotations, const View& v, double min_visible) {
  std::vector<Annotation> out;
  const double scale = static_cast<double>(v.whole.width) / v.source.width * v.whole.height / v.source.height;
  for (const Annotation& one : annotations) {
    const double share = visible_share(one, v);
    // A region of many that is ignored needs no share of it: all of it that is in sight is no background.
    if (share <= 0 || (!one.ignored && share < std::min(kLeastVisible, min_visible))) continue;
    const Box box = common(v.to_canvas(one.box), to_box(v.window()));
    if (box.width() < kThinnest || box.height() < kThinnest) continue;
    Annotation& seen = out.emplace_back(one);
    seen.box = box;
    seen.ignored = one.ignored || share < min_visible;
    if (seen.area >= 0) seen.area *= scale * share;
  }
  return out;
}

void add_view(BoxPicture& canvas, const BoxPicture& picture, const View& view, const BoxAugment& a, Random& random) {
  show(picture.pixels, view, canvas.pixels);
  cv::Mat part = canvas.pixels(view.window());
  jitter_colours(part, a.colour, random);
  const std::vector<Annotation> seen = in_sight(picture.annotations, view, a.min_visible);
  canvas.annotations.insert(canvas.annotations.end(), seen.begin(), seen.end());
}

}  // namespace fovea
