#include "datasets/scans/image_stack.hpp"

#include "datasets/channels.hpp"
#include "datasets/scans/burned_in.hpp"
#include "modules/core/error.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

cv::Mat in_bytes(const cv::Mat& pixels) {
  cv::Mat out;
  pixels.convertTo(out, CV_8U, pixels.depth() == CV_16U ? 1 / 257.0 : 1);
  return out;
}

// What is asked for instead of the file's own, if anything is.
std::optional<Window> wish(const ImageStack::Options& options, const cv::Mat& values, std::optional<double> padding) {
  if (options.window || values.channels() == 3) return options.window;
  return options.automatic_window ? std::optional(auto_window(values, padding)) : std::nullopt;
}

}  // namespace

ImageStack::ImageStack(const std::vector<fs::path>& files, std::optional<std::size_t> page, Options options)
    : page_(page), options_(std::move(options)) {
  check(!files.empty(), "expected a file, got none");
  if (files.size() == 1 && !fovea::is_scan(files[0])) take_picture(files[0]);
  else take_scans(files);
}

void ImageStack::take_picture(const fs::path& file) {
  Slice slice{file, 0, {}};
  slice.about.spacing = options_.spacing;
  slices_.push_back(std::move(slice));
  volumes_ = {1};
}

void ImageStack::take_scans(const std::vector<fs::path>& files) {
  std::vector<ScanFile> described;
  for (const fs::path& file : files) {
    described.push_back(describe(*open(file), file));
    if (burned_in_.empty()) burned_in_ = burned_in_reason(described.back().info);
  }
  info_ = described.front().info;
  notes_ = info_->notes;
  for (Volume& v : sort_into_volumes(described)) {
    steps_.push_back(v.step);
    volumes_.push_back(static_cast<int>(v.slices.size()));
    notes_.insert(notes_.end(), v.notes.begin(), v.notes.end());
    for (Slice& s : v.slices) {
      if (!s.about.spacing) s.about.spacing = options_.spacing;
      slices_.push_back(std::move(s));
    }
  }
}

std::shared_ptr<Scan> ImageStack::open(const fs::path& file) const {
  if (file != open_file_ || !open_scan_) open_scan_ = open_scan(file), open_file_ = file;
  return open_scan_;
}

StackImage ImageStack::read(int i) const {
  const Slice& s = slice(i);
  StackImage out;
  if (!is_scan()) {
    out.values = without_alpha(read_image(s.file, page_));
    cv::Mat f32;
    out.values.convertTo(f32, CV_32F);
    const auto window = out.values.channels() == 1 ? wish(options_, f32, {}) : std::nullopt;
    out.shown = window ? windowed(f32, *window, false) : in_bytes(out.values);
    return out;
  }
  const auto scan = open(s.file);
  out.values = scan->frame(s.frame);
  out.inverted = scan->info().inverted;
  out.padding = scan->info().padding;
  out.shown = shown(*scan, s.frame, out.values, wish(options_, out.values, out.padding));
  return out;
}

}  // namespace fovea
