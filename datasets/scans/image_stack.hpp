// The pictures of one input, in order: an image file, the frames of a scan, or the files of a series.
#pragma once

#include <memory>

#include "datasets/image.hpp"
#include "datasets/scans/volume.hpp"
#include "datasets/scans/window.hpp"

namespace fovea {

// One picture with what is known of it.
struct StackImage {
  cv::Mat
      values;  // of scans f32 in the modality's units, one channel, or colours; of pictures as decoded: u8 or u16, one channel or BGR
  cv::Mat shown;                  // 8 bits, one channel or BGR, as a viewer shows it at first
  bool inverted = false;          // small values are shown white
  std::optional<double> padding;  // the value of pixels that hold nothing
};

class ImageStack {
 public:
  struct Options {
    std::optional<Window> window = {};         // for `shown`, instead of the file's own
    bool automatic_window = false;             // for `shown`, instead of the file's own
    std::optional<PixelSpacing> spacing = {};  // of files that say nothing of it
  };

  // Files of one input; several only of scans. `page`: of a picture's file that holds several. Headers are read, no pixels. Error.
  ImageStack(const std::vector<std::filesystem::path>& files, std::optional<std::size_t> page, Options options);

  int size() const { return static_cast<int>(slices_.size()); }
  bool is_scan() const { return info_.has_value(); }
  // Of the first file. Error unless it is a scan.
  const ScanInfo& info() const { return info_.value(); }
  // Where each picture is from, and what is known of it; of image files without a place, and without a spacing unless the options give one.
  const Slice& slice(int i) const { return slices_.at(static_cast<std::size_t>(i)); }
  // How many slices follow each other in each volume, in order: {1} for a picture.
  const std::vector<int>& volumes() const { return volumes_; }
  // Of a volume: mm from slice to slice.
  std::optional<double> step(std::size_t volume = 0) const { return volume < steps_.size() ? steps_[volume] : std::nullopt; }
  const std::vector<std::string>& notes() const { return notes_; }  // of scans: gaps, what is unusual
  // Why the pixels of one of its files may name somebody (burned_in.hpp); empty: nothing says so.
  const std::string& burned_in() const { return burned_in_; }

  // Decodes one. Error; of image files once only, since nothing is kept.
  StackImage read(int i) const;

 private:
  void take_picture(const std::filesystem::path& file);
  void take_scans(const std::vector<std::filesystem::path>& files);
  std::shared_ptr<Scan> open(const std::filesystem::path& file) const;

  std::optional<std::size_t> page_;
  Options options_;
  std::optional<ScanInfo> info_;
  std::vector<Slice> slices_;
  std::vector<int> volumes_;
  std::vector<std::optional<double>> steps_;
  std::vector<std::string> notes_;
  std::string burned_in_;
  // The file that was read last: frames of one follow each other.
  mutable std::filesystem::path open_file_;
  mutable std::shared_ptr<Scan> open_scan_;
};

}  // namespace fovea
