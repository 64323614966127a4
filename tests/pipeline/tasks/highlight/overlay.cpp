// What people look at: outlines that are seen on any ground.
#include "pipeline/tasks/highlight/overlay.hpp"

#include <opencv2/imgproc.hpp>

#include "pipeline/sinks/colours.hpp"
#include "tests/support/catch.hpp"

using namespace fovea;

namespace {

constexpr std::size_t kClasses = 24;  // of the colours' circle

cv::Mat noisy(cv::Size size) {
  cv::Mat m(size, CV_8UC3);
  cv::RNG(7).fill(m, cv::RNG::UNIFORM, 0, 256);
  return m;
}

// From black to `colour`, left to right.
cv::Mat ramp(cv::Size size, const cv::Scalar& colour) {
  cv::Mat m(size, CV_8UC3);
  for (int x = 0; x < m.cols; ++x) m.col(x).setTo(colour * (static_cast<double>(x) / (m.cols - 1)));
  return m;
}

// A ring, so that there is an outline within, too.
cv::Mat ring(cv::Size size) {
  cv::Mat mask = cv::Mat::zeros(size, CV_8U);
  cv::circle(mask, {size.width / 2, size.height / 2 - 8}, size.height / 4, cv::Scalar(255), size.height / 10);
  return mask;
}

FoundPicture found_on(const cv::Mat& ground, const cv::Mat& mask, std::size_t label) {
  FoundPicture found;
  found.shown = ground;
  found.classes.resize(kClasses);
  for (FoundClass& c : found.classes) c.regions = cv::Mat::zeros(ground.size(), CV_32S);
  mask.convertTo(found.classes[label].regions, CV_32S, 1 / 255.0);
  const cv::Mat sure(ground.size(), CV_32F, cv::Scalar(1));
  found.classes[label].measures = measure_regions(found.classes[label].regions, ground, sure, {}, {});
  return found;
}

// The least contrast between the outline's colour and a pixel just outside of the shape; 0 where the outline has another colour.
double least_contrast(const cv::Mat& drawn, const cv::Mat& mask, const cv::Scalar& colour) {
  cv::Mat wider, narrower;
  cv::dilate(mask, wider, cv::Mat());
  cv::erode(mask, narrower, cv::getStructuringElement(cv::MORPH_CROSS, {3, 3}));
  double least = 21;
  for (int y = 0; y < mask.rows; ++y)
    for (int x = 0; x < mask.cols; ++x) {
      const auto p = drawn.at<cv::Vec3b>(y, x);
      const cv::Scalar pixel(p[0], p[1], p[2]);
      if (mask.at<std::uint8_t>(y, x) && !narrower.at<std::uint8_t>(y, x) && pixel != colour) return 0;
      if (wider.at<std::uint8_t>(y, x) && !mask.at<std::uint8_t>(y, x)) least = std::min(least, contrast(pixel, colour));
    }
  return least;
}

}  // namespace

TEST_CASE("colours: contrast is WCAG's") {
  CHECK(contrast(cv::Scalar(0, 0, 0), cv::Scalar(255, 255, 255)) == Approx(21));
  CHECK(contrast(cv::Scalar(255, 255, 255), cv::Scalar(119, 119, 119)) ==
        Approx(4.48).epsilon(0.001));  // as WebAIM's checker has it
  CHECK(relative_luminance(cv::Scalar(0, 0, 255)) == Approx(0.2126));
}

TEST_CASE("highlight: outlines of every class are seen on every ground", "[pipeline]") {
  const cv::Size size(120, 96);
  const std::vector<cv::Mat> grounds{cv::Mat(size, CV_8UC3, cv::Scalar::all(0)),
                                     cv::Mat(size, CV_8UC3, cv::Scalar::all(255)),
                                     cv::Mat(size, CV_8UC3, cv::Scalar(0, 0, 255)),
                                     cv::Mat(size, CV_8UC3, cv::Scalar(25, 50, 150)),  // of the back of an eye
                                     cv::Mat(size, CV_8UC3, cv::Scalar::all(117)),
                                     cv::Mat(size, CV_8UC1, cv::Scalar(60)),
                                     ramp(size, cv::Scalar::all(255)),
                                     ramp(size, cv::Scalar(0, 0, 255)),
                                     noisy(size)};
  const cv::Mat mask = ring(size);
  for (std::size_t label = 0; label < kClasses; ++label)
    for (std::size_t g = 0; g < grounds.size(); ++g) {
      INFO("class " << label << ", ground " << g);
      const FoundPicture found = found_on(grounds[g], mask, label);
      CHECK(least_contrast(region_drawing(found, {}), mask, label_colour(label)) >= 3);
      if (label > 1) continue;
      // Enlarged, with what is written around it.
      const cv::Mat drawn = highlight_overlay(found, {}, std::vector<std::string>(kClasses, "a"), {}, false);
      cv::Mat enlarged;
      cv::resize(mask, enlarged, size * 5, 0, 0, cv::INTER_NEAREST);
      CHECK(least_contrast(drawn.rowRange(0, size.height * 5), enlarged, label_colour(label)) >= 3);
    }
}
