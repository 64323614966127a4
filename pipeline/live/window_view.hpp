// The live run in a window of this machine's display. Only in builds that found OpenCV's highgui (FOVEA_HAS_HIGHGUI).
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "pipeline/live/live_view.hpp"
#include "pipeline/live/settings.hpp"

namespace fovea {

// Whether this build can open windows and there is a display to open them on.
bool has_display();

class WindowView final : public LiveView {
 public:
  // `settings` outlives it; keys change them. `layers` as of layers_of().
  WindowView(std::string title, SharedSettings& settings, std::vector<std::string> layers);

  bool wants_picture() override { return true; }
  void show(const SeenFrame& seen) override;

  // Shows pictures and takes keys until `over` says so, or the user closes the window: q, Esc. m: the next layer; + and -: the threshold; s: the
  // picture into fovea-NUMBER.png in the current folder. To be called by the program's first thread, the run goes on another one. Error where no
  // window can be opened.
  void loop(const std::function<bool()>& over);

 private:
  bool press(int key, const cv::Mat& picture);
  void change_threshold(double by);
  void next_layer();
  void save(const cv::Mat& picture);

  const std::string title_;
  SharedSettings& settings_;
  const std::vector<std::string> layers_;

  std::mutex mutex_;  // guards what follows
  cv::Mat newest_;
  std::int64_t number_ = 0;
};

}  // namespace fovea
