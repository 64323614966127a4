#include "pipeline/live/folder_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <opencv2/imgproc.hpp>
#include <thread>
#include <vector>

#include "datasets/image.hpp"
#include "datasets/walk.hpp"
#include "modules/core/error.hpp"

namespace fovea {
namespace {

class FolderSource final : public LiveSource {
 public:
  FolderSource(const std::filesystem::path& folder, const FolderSourceOptions& options)
      : folder_(folder.string()), options_(options), period_(std::chrono::duration<double>(1 / options.rate)) {
    check(options.rate > 0 && options.rate <= 1000, folder_, ": expected a rate over 0 and up to 1000 pictures/s, got ",
          options.rate);
    files_ = images_below(folder).files;
    check(!files_.empty(), folder_, ": expected pictures (", readable_formats(), "), got none");
  }

  std::string description() const override {
    return fmt::format("{}: {} pictures, {:.4g} pictures/s{}", folder_, files_.size(), options_.rate,
                       options_.loop ? ", looped" : "");
  }

  std::optional<LiveFrame> next(const std::atomic<bool>& stop) override {
    std::string reason;
    for (std::size_t failed = 0; failed < files_.size(); ++failed) {
      if (!options_.loop && number_ == static_cast<std::int64_t>(files_.size())) return std::nullopt;
      if (!wait_for_turn(stop)) return std::nullopt;
      const std::int64_t number = number_++;
      try {
        cv::Mat image = read_photo(files_[static_cast<std::size_t>(number) % files_.size()]);
        if (image.channels() == 1) cv::cvtColor(image, image, cv::COLOR_GRAY2BGR);
        return LiveFrame{image, LiveClock::now(), number, static_cast<double>(number) / options_.rate};
      } catch (const Error& e) { reason = e.what(); }
    }
    fail(folder_, ": none of its ", files_.size(), " pictures can be read; the last one: ", reason);
  }

  bool can_reopen() const override { return false; }
  void reopen() override {}

 private:
  // Where reading takes longer than a period the pictures come later, not in bursts.
  bool wait_for_turn(const std::atomic<bool>& stop) {
    const auto period = std::chrono::duration_cast<LiveClock::duration>(period_);
    while (!stop) {
      const auto now = LiveClock::now();
      if (now >= due_) {
        due_ = std::max(due_ + period, now);
        return true;
      }
      std::this_thread::sleep_for(std::min<LiveClock::duration>(due_ - now, std::chrono::milliseconds(50)));
    }
    return false;
  }

  const std::string folder_;
  const FolderSourceOptions options_;
  const std::chrono::duration<double> period_;
  std::vector<std::filesystem::path> files_;
  std::int64_t number_ = 0;
  LiveClock::time_point due_ = LiveClock::now();
};

}  // namespace

std::unique_ptr<LiveSource> folder_source(const std::filesystem::path& folder, const FolderSourceOptions& options) {
  return std::make_unique<FolderSource>(folder, options);
}

}  // namespace fovea
