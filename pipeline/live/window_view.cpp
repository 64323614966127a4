#include "pipeline/live/window_view.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "datasets/image.hpp"
#include "modules/core/error.hpp"

#if FOVEA_HAS_HIGHGUI
#include <opencv2/highgui.hpp>
#endif

namespace fovea {

WindowView::WindowView(std::string title, SharedSettings& settings, std::vector<std::string> layers)
    : title_(std::move(title)), settings_(settings), layers_(std::move(layers)) {}

void WindowView::show(const SeenFrame& seen) {
  std::lock_guard lock(mutex_);
  newest_ = seen.drawn;
  number_ = seen.frame.number;
}

// False: the user has enough.
bool WindowView::press(int key, const cv::Mat& picture) {
  constexpr int kEscape = 27;
  switch (key) {
    case 'q':
    case kEscape: return false;
    case 'm': next_layer(); break;
    case '+': change_threshold(0.05); break;
    case '-': change_threshold(-0.05); break;
    case 's': save(picture); break;
    default: break;
  }
  return true;
}

void WindowView::change_threshold(double by) {
  LiveSettings settings = settings_.get();
  settings.threshold = std::clamp(settings.threshold + by, 0.0, 1.0);
  settings_.set(settings);
}

void WindowView::next_layer() {
  LiveSettings settings = settings_.get();
  const auto at = std::find(layers_.begin(), layers_.end(), settings.layer);
  settings.layer = at == layers_.end() || at + 1 == layers_.end() ? layers_.front() : *(at + 1);
  settings_.set(settings);
}

void WindowView::save(const cv::Mat& picture) {
  if (picture.empty()) return;
  Image image;
  image.pixels = picture;
  std::int64_t number = 0;
  {
    std::lock_guard lock(mutex_);
    number = number_;
  }
  const auto bytes = encode_image(image, "png");
  write_file_atomically("fovea-" + std::to_string(number) + ".png", bytes.data(), bytes.size());
}

#if FOVEA_HAS_HIGHGUI

bool has_display() { return std::getenv("DISPLAY") != nullptr || std::getenv("WAYLAND_DISPLAY") != nullptr; }

void WindowView::loop(const std::function<bool()>& over) try {
  cv::namedWindow(title_, cv::WINDOW_NORMAL | cv::WINDOW_KEEPRATIO);
  cv::Mat picture;
  for (bool wanted = true; wanted && !over();) {
    cv::Mat next;
    {
      std::lock_guard lock(mutex_);
      next = std::exchange(newest_, cv::Mat());
    }
    if (!next.empty()) cv::imshow(title_, picture = next);
    // The only place where the window lives: it takes events while it waits.
    wanted = press(cv::waitKey(10), picture) && cv::getWindowProperty(title_, cv::WND_PROP_VISIBLE) >= 1;
  }
  cv::destroyWindow(title_);
} catch (const cv::Exception& e) { fail("window: it cannot be opened on this display (use --serve): ", e.what()); }

#else

bool has_display() { return false; }

void WindowView::loop(const std::function<bool()>&) {
  fail("window: this program was built without OpenCV's highgui; use --serve");
}

#endif

}  // namespace fovea
