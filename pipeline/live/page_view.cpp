#include "pipeline/live/page_view.hpp"

#include "datasets/image.hpp"

namespace fovea {
namespace {

// Good enough for boxes and letters on a screen, at two thirds of the bytes of 90.
constexpr int kQuality = 80;

std::vector<std::uint8_t> jpeg_of(const cv::Mat& picture) {
  Image image;
  image.pixels = picture;
  return encode_image(image, "jpg", {.jpeg_quality = kQuality});
}

}  // namespace

bool PageView::wants_picture() {
  const auto now = LiveClock::now();
  if (pictured_ && now - *pictured_ < std::chrono::seconds(1) && !server_.is_watched()) return false;
  pictured_ = now;
  return true;
}

void PageView::show(const SeenFrame& seen) {
  nlohmann::ordered_json event = seen.answer;
  event["seconds"] = seen.frame.seconds;
  server_.publish(seen.frame.number, seen.drawn.empty() ? std::vector<std::uint8_t>() : jpeg_of(seen.drawn), std::move(event));
}

}  // namespace fovea
