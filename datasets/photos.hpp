// Photographs for training: decoded once, kept in memory as far as they fit, handed out as random crops.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "datasets/augment.hpp"
#include "datasets/bad_file.hpp"
#include "modules/train/batch_source.hpp"

namespace fovea {

struct Sample {
  std::filesystem::path file;
  std::int64_t label = -1;  // class index; -1: none
};

struct PhotoOptions {
  std::size_t memory = std::size_t{2} << 30;  // bytes for decoded pictures; those beyond it are decoded each time
  int shorter_side = 0;  // larger pictures are shrunk to this when loaded, which saves memory and time; 0: not
};

// Every readable one of the samples, in their order, 8 bits, grey or BGR.
class Photos {
 public:
  // Decodes all of them on the calling thread's width, so that what cannot be read is known before the training begins. What fails for the
  // machine's sake (out of memory, a read error) is thrown.
  explicit Photos(const std::vector<Sample>& samples, const PhotoOptions& options = {});

  std::size_t size() const { return samples_.size(); }
  const std::vector<Sample>& samples() const { return samples_; }
  const std::vector<BadFile>& bad() const { return bad_; }
  std::size_t cached() const;              // how many are in memory
  cv::Mat image(std::size_t index) const;  // not to be written to
  void label(std::size_t index, std::int64_t label) { samples_.at(index).label = label; }

 private:
  PhotoOptions options_;
  std::vector<Sample> samples_;
  std::vector<cv::Mat> images_;  // empty where the memory did not suffice
  std::vector<BadFile> bad_;
};

// Every image of `paths`, without labels: of folders those below them, sorted by path; of .txt files those that they name, one a
// line, beside the list or in `images` beside it. Error for a path without any.
std::vector<Sample> unlabelled(const std::vector<std::filesystem::path>& paths, std::vector<BadFile>* left_out = nullptr);

// Epochs in random order without repetition; batch k depends on (seed, k) alone. The input "image" is N x channels x height x width, normalised; the target "class"
// the class indices (s64, N), soft
// ones (f32, N x classes) where pictures are mixed, or undefined where no sample has a label.
class PhotoSource final : public BatchSource {
 public:
  struct Options {
    Preprocess preprocess;
    Augment augment;
    int batch = 32;
    std::int64_t classes = 0;  // how many, for soft labels
    bool balance = false;      // every class as likely, however many pictures it has; an epoch then has repetitions
    std::uint64_t seed = 0;
  };
  PhotoSource(Photos photos, const Options& options);
  Batch batch(std::int64_t number) const override;
  const Photos& photos() const { return photos_; }

 private:
  Photos photos_;
  Options options_;
  std::size_t pick(std::int64_t position, Random& random) const;

  bool labelled_ = false;
  std::vector<std::vector<std::size_t>> by_class_;  // of balance; classes without pictures are left out
};

// A permutation of [0, n) without memory: where `position` goes in the order numbered `order`. A Feistel network over the next power of four,
// walked until it lands inside (Black and Rogaway 2002).
std::int64_t shuffled(std::int64_t position, std::int64_t n, std::uint64_t seed, std::uint64_t order);

}  // namespace fovea
