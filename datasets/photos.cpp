#include "datasets/photos.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <fstream>
#include <opencv2/imgproc.hpp>

#include "datasets/augment/mix.hpp"
#include "datasets/image.hpp"
#include "datasets/preprocess.hpp"
#include "datasets/walk.hpp"
#include "modules/core/threads.hpp"

namespace fovea {
namespace {

namespace fs = std::filesystem;

cv::Mat read_small(const fs::path& file, int shorter_side) {
  cv::Mat pixels = read_photo(file);
  const int side = std::min(pixels.cols, pixels.rows);
  if (shorter_side <= 0 || side <= shorter_side) return pixels;
  const auto shrunk = [&](int v) { return std::max(1, static_cast<int>(std::int64_t{v} * shorter_side / side)); };
  cv::resize(pixels, pixels, {shrunk(pixels.cols), shrunk(pixels.rows)}, 0, 0, cv::INTER_AREA);
  return pixels;
}

std::size_t bytes_of(const cv::Mat& m) { return m.total() * m.elemSize(); }

std::vector<fs::path> listed_in(const fs::path& list) {
  std::ifstream in(list);
  check(in.good(), "cannot read the list ", list.string());
  std::vector<fs::path> files;
  for (std::string line; std::getline(in, line);) {
    if (line.empty()) continue;
    const fs::path beside = list.parent_path() / line;
    files.push_back(fs::exists(beside) ? beside : list.parent_path() / "images" / line);
  }
  return files;
}

// Words of Philox as the round function: even similar keys give unrelated orders.
std::uint64_t scrambled(std::uint64_t value, int round, std::uint64_t seed, std::uint64_t order) {
  return Random(seed ^ (order * 0x9E3779B97F4A7C15ull), (value << 3) | static_cast<std::uint64_t>(round)).next();
}

}  // namespace

std::int64_t shuffled(std::int64_t position, std::int64_t n, std::uint64_t seed, std::uint64_t order) {
  check(position >= 0 && position < n, "shuffle: expected a position below ", n, ", got ", position);
  int bits = 1;  // of each half
  while (bits < 31 && (std::int64_t{1} << (2 * bits)) < n) ++bits;
  const std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
  auto v = static_cast<std::uint64_t>(position);
  do {
    std::uint64_t left = v >> bits, right = v & mask;
    for (int round = 0; round < 4; ++round) {
      const std::uint64_t next = left ^ (scrambled(right, round, seed, order) & mask);
      left = right, right = next;
    }
    v = left << bits | right;
  } while (v >= static_cast<std::uint64_t>(n));
  return static_cast<std::int64_t>(v);
}

Photos::Photos(const std::vector<Sample>& samples, const PhotoOptions& options) : options_(options) {
  std::vector<cv::Mat> images(samples.size());
  std::vector<std::exception_ptr> failures(samples.size());
  std::atomic<std::size_t> used{0};
  parallel_blocks(static_cast<std::int64_t>(samples.size()), [&](std::int64_t b) {
    const auto i = static_cast<std::size_t>(b);
    try {
      cv::Mat image = read_small(samples[i].file, options.shorter_side);
      const std::size_t bytes = bytes_of(image);
      if (used.fetch_add(bytes) + bytes <= options.memory) images[i] = std::move(image);
      else used.fetch_sub(bytes);
    } catch (...) { failures[i] = std::current_exception(); }
  });
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (failures[i]) {
      try {
        std::rethrow_exception(failures[i]);
      } catch (const std::exception& e) { bad_.push_back(bad_file(samples[i].file, e)); }
      continue;
    }
    samples_.push_back(samples[i]);
    images_.push_back(std::move(images[i]));
  }
}

std::size_t Photos::cached() const {
  return static_cast<std::size_t>(std::count_if(images_.begin(), images_.end(), [](const cv::Mat& m) { return !m.empty(); }));
}

cv::Mat Photos::image(std::size_t index) const {
  check(index < images_.size(), "photos: expected an index below ", images_.size(), ", got ", index);
  return images_[index].empty() ? read_small(samples_[index].file, options_.shorter_side) : images_[index];
}

std::vector<Sample> unlabelled(const std::vector<fs::path>& paths, std::vector<BadFile>* left_out) {
  std::vector<Sample> samples;
  for (const fs::path& path : paths) {
    const FolderImages found = path.extension() == ".txt" ? FolderImages{listed_in(path), {}} : images_below(path);
    check(!found.files.empty(), path.string(), ": no images");
    for (const fs::path& f : found.files) samples.push_back({f, -1});
    if (left_out) left_out->insert(left_out->end(), found.left_out.begin(), found.left_out.end());
  }
  return samples;
}

PhotoSource::PhotoSource(Photos photos, const Options& options) : photos_(std::move(photos)), options_(options) {
  check(photos_.size() > 0, "training data: no image can be read",
        photos_.bad().empty() ? "" : "; the first reason: " + photos_.bad().front().reason);
  check(options_.batch > 0, "training data: expected a batch of at least 1, got ", options_.batch);
  const auto& samples = photos_.samples();
  const auto with = std::count_if(samples.begin(), samples.end(), [](const Sample& s) { return s.label >= 0; });
  labelled_ = with > 0;
  check(!labelled_ || static_cast<std::size_t>(with) == samples.size(), "training data: ", with, " of ", samples.size(),
        " images have a label; expected all or none");
  const auto largest =
      std::max_element(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) { return a.label < b.label; });
  check(!labelled_ || options_.classes == 0 || largest->label < options_.classes, "training data: ", largest->file.string(),
        ": label ", largest->label, " of ", options_.classes, " classes");
  check(!labelled_ || !options_.augment.mixes() || options_.classes > 0,
        "training data: mixing labels needs the number of classes");
  if (!options_.balance) return;
  check(labelled_, "training data: balance needs labels");
  by_class_.resize(static_cast<std::size_t>(largest->label) + 1);
  for (std::size_t i = 0; i < samples.size(); ++i) by_class_[static_cast<std::size_t>(samples[i].label)].push_back(i);
  std::erase_if(by_class_, [](const auto& c) { return c.empty(); });
}

// Which picture stands at a position of the endless sequence of epochs.
std::size_t PhotoSource::pick(std::int64_t position, Random& random) const {
  if (options_.balance) {
    const auto& of_class = by_class_[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(by_class_.size())))];
    return of_class[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(of_class.size())))];
  }
  const auto count = static_cast<std::int64_t>(photos_.size());
  return static_cast<std::size_t>(shuffled(position % count, count, options_.seed, static_cast<std::uint64_t>(position / count)));
}

Batch PhotoSource::batch(std::int64_t number) const {
  const Preprocess& p = options_.preprocess;
  const std::int64_t n = options_.batch;
  Batch batch{{{"image", Tensor::empty({n, p.channels, p.height, p.width}, DType::f32, Layout::channels_last)}}, {}};
  if (labelled_) batch.targets.add("class", Tensor::empty({n}, DType::s64));
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t at = number * n + i;
    Random random(options_.seed, static_cast<std::uint64_t>(at) + 1);
    const std::size_t index = pick(at, random);
    normalise_into(batch.input(), i, augmented(photos_.image(index), p, options_.augment, random), p);
    if (random.uniform() < options_.augment.erase) erase_at_random(batch.input(), i, random);
    if (labelled_) batch.target().data<std::int64_t>()[i] = photos_.samples()[index].label;
  }
  if (options_.augment.mixes()) {
    if (labelled_) batch.target() = one_hot(batch.target(), options_.classes);
    Random random(~options_.seed, static_cast<std::uint64_t>(number));  // apart from every picture's own
    Tensor none;
    mix(batch.input(), labelled_ ? batch.target() : none, options_.augment, random);
  }
  return batch;
}

}  // namespace fovea
