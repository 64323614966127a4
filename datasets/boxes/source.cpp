#include "datasets/boxes/source.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "datasets/picture_size.hpp"
#include "modules/core/whole.hpp"

namespace fovea {
namespace {

constexpr int kLargestSide = 16384;

void check_annotations(const AnnotatedImage& image, std::int64_t classes) {
  std::size_t number = 0;
  for (const Annotation& a : image.annotations) {
    ++number;
    check(is_valid(a.box), "training data: ", image.file.string(), ": object ", number, ": expected a box with an area, got ",
          a.box.x1, " ", a.box.y1, " ", a.box.x2, " ", a.box.y2);
    check(a.label >= 0 && (classes == 0 || a.label < classes), "training data: ", image.file.string(), ": object ", number,
          ": label ", a.label, " of ", classes, " classes");
  }
}

// Before anything is decoded, which may take minutes.
BoxSource::Options checked(const BoxSource::Options& o, const std::vector<AnnotatedImage>& images) {
  check(o.batch > 0, "training data: expected a batch of at least 1, got ", o.batch);
  check(o.balance >= 0 && o.balance <= 1, "training data: balance: expected a number from 0 to 1, got ", o.balance);
  check(o.balance_threshold > 0 && o.balance_threshold <= 1,
        "training data: balance_threshold: expected a share above 0 and up to 1, got ", o.balance_threshold);
  check(o.preprocess.channels == 1 || o.preprocess.channels == 3,
        "training data: expected a network of 1 or 3 channels for pictures with boxes, got ", o.preprocess.channels);
  check(!o.sizes.empty() || (o.preprocess.width > 0 && o.preprocess.height > 0),
        "training data: the pictures of a batch have one size; expected `sizes`, or a size in `preprocess`");
  for (const cv::Size& s : o.sizes)
    check(s.width > 0 && s.height > 0 && s.width <= kLargestSide && s.height <= kLargestSide,
          "training data: sizes: expected sides from 1 to ", kLargestSide, ", got ", s.width, "x", s.height);
  for (const AnnotatedImage& image : images) check_annotations(image, o.classes);
  return o;
}

// Their label is the index of the picture, by which its boxes are found again where others could not be read.
std::vector<Sample> samples_of(const std::vector<AnnotatedImage>& images) {
  std::vector<Sample> samples;
  for (std::size_t i = 0; i < images.size(); ++i) samples.push_back({images[i].file, static_cast<std::int64_t>(i)});
  return samples;
}

// Of the file. Error where the annotations say another.
cv::Size size_in(const AnnotatedImage& image) {
  const cv::Size size = picture_size(image.file);
  check(image.size.empty() || image.size == size, image.file.string(), ": the annotations are for ", image.size.width, "x",
        image.size.height, " pixels, the picture has ", size.width, "x", size.height);
  return size;
}

// From pixels of the file to those of a picture that is kept smaller.
void scale(std::vector<Annotation>& annotations, cv::Size file, cv::Size kept) {
  const double x = static_cast<double>(kept.width) / file.width, y = static_cast<double>(kept.height) / file.height;
  for (Annotation& a : annotations) {
    a.box = {a.box.x1 * x, a.box.y1 * y, a.box.x2 * x, a.box.y2 * y};
    if (a.area >= 0) a.area *= x * y;
  }
}

void write_targets(Batch& batch, const std::vector<std::vector<Annotation>>& pictures) {
  std::size_t most = 1;
  for (const auto& p : pictures) most = std::max(most, p.size());
  const auto n = static_cast<std::int64_t>(pictures.size()), m = static_cast<std::int64_t>(most);
  Tensor boxes = Tensor::zeros({n, m, 4}), labels = Tensor::empty({n, m}, DType::s64);
  std::fill_n(labels.data<std::int64_t>(), n * m, -1);
  for (std::int64_t i = 0; i < n; ++i) {
    float* box = boxes.data<float>() + i * m * 4;
    auto* label = labels.data<std::int64_t>() + i * m;
    for (const Annotation& a : pictures[static_cast<std::size_t>(i)]) {
      for (const double v : {a.box.x1, a.box.y1, a.box.x2, a.box.y2}) *box++ = static_cast<float>(v);
      *label++ = a.ignored ? -2 - a.label : a.label;
    }
  }
  batch.targets.add("boxes", boxes);
  batch.targets.add("labels", labels);
}

}  // namespace

std::vector<double> repeat_factors(const std::vector<std::vector<Annotation>>& pictures, double balance, double threshold) {
  std::map<std::int64_t, double> with;  // pictures that show the class
  std::vector<std::set<std::int64_t>> shown;
  for (const auto& annotations : pictures) {
    std::set<std::int64_t>& classes = shown.emplace_back();
    for (const Annotation& a : annotations)
      if (!a.ignored) classes.insert(a.label);
    for (const std::int64_t c : classes) ++with[c];
  }
  std::vector<double> factors;
  for (const auto& classes : shown) {
    double& factor = factors.emplace_back(1);
    for (const std::int64_t c : classes)
      factor = std::max(factor, std::pow(threshold * static_cast<double>(pictures.size()) / with[c], balance / 2));
  }
  return factors;
}

BoxSource::BoxSource(const std::vector<AnnotatedImage>& images, const Options& options)
    : options_(checked(options, images)),
      plain_(options.augment),
      photos_(samples_of(images), options.photos),
      bad_(photos_.bad()) {
  plain_.mosaic = plain_.copy_paste = plain_.mixup = 0;
  for (std::size_t photo = 0; photo < photos_.size(); ++photo)
    take(photo, images[static_cast<std::size_t>(photos_.samples()[photo].label)]);
  check(size() > 0, "training data: no image can be used", bad_.empty() ? "" : "; the first reason: " + bad_.front().reason);
  double end = 0;
  for (const double factor : repeat_factors(annotations_, options_.balance, options_.balance_threshold))
    ends_.push_back(end += factor);
  epoch_ = whole(std::ceil(end), "training data: pictures an epoch");
}

void BoxSource::take(std::size_t photo, const AnnotatedImage& image) {
  try {
    sizes_.push_back(size_in(image));
    photo_of_.push_back(photo);
    annotations_.push_back(image.annotations);
  } catch (const std::exception& e) { bad_.push_back(bad_file(image.file, e)); }
}

BoxPicture BoxSource::picture(std::size_t index) const {
  BoxPicture p{photos_.image(photo_of_[index]), annotations_[index]};
  if (p.pixels.size() != sizes_[index]) scale(p.annotations, sizes_[index], p.pixels.size());
  return p;
}

// The picture whose part of the line holds the place.
std::size_t BoxSource::index_at(double place) const {
  const auto at = std::upper_bound(ends_.begin(), ends_.end(), place) - ends_.begin();
  return std::min(static_cast<std::size_t>(at), size() - 1);
}

// An epoch goes through places on the line that are evenly spaced, at most 1 apart so that none of the parts is left out, in
// random order. They are shifted from epoch to epoch, which makes the mean number of times what the factor says.
std::size_t BoxSource::pick(std::int64_t position) const {
  const std::int64_t number = position / epoch_;
  const auto order = static_cast<std::uint64_t>(number);
  const std::int64_t step = shuffled(position % epoch_, epoch_, options_.seed, order);
  const double shift = Random(~options_.seed, 2 * order + 1).uniform();
  return index_at((static_cast<double>(step) + shift) * ends_.back() / static_cast<double>(epoch_));
}

cv::Size BoxSource::size_of(std::int64_t batch) const {
  if (options_.sizes.empty()) return {options_.preprocess.width, options_.preprocess.height};
  Random random(~options_.seed, 2 * static_cast<std::uint64_t>(batch));
  return options_.sizes[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(options_.sizes.size())))];
}

Batch BoxSource::batch(std::int64_t number) const {
  Preprocess p = options_.preprocess;
  const cv::Size size = size_of(number);
  p.width = size.width, p.height = size.height;
  const std::int64_t n = options_.batch;
  const BoxAugment& augment = number < options_.plain_from ? options_.augment : plain_;
  const AnotherPicture another = [this](Random& random) { return picture(index_at(random.uniform() * ends_.back())); };
  Batch batch{{{"image", Tensor::empty({n, p.channels, p.height, p.width}, DType::f32, Layout::channels_last)}}, {}};
  std::vector<std::vector<Annotation>> annotations;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t at = number * n + i;
    Random random(options_.seed, static_cast<std::uint64_t>(at) + 1);
    BoxPicture shown = augmented(picture(pick(at)), another, p, augment, random);
    normalise_into(batch.input(), i, shown.pixels, p);
    annotations.push_back(std::move(shown.annotations));
  }
  write_targets(batch, annotations);
  return batch;
}

}  // namespace fovea
