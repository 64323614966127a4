// The zoo's `vessels` on a picture as large as a fundus camera's of CHASE_DB1, 999 x 960: time a picture from its values to maps on its own pixels, against the
// network's convolutions, direct ones bare in oneDNN; and the most memory that the process held meanwhile.
#include <fmt/core.h>

#include <cmath>
#include <fstream>
#include <opencv2/imgproc.hpp>
#include <string>

#include "datasets/scans/unit_range.hpp"
#include "modules/core/memory.hpp"
#include "modules/core/threads.hpp"
#include "pipeline/tasks/highlight/highlighter.hpp"
#include "tests/bench/bare_forward.hpp"
#include "tests/bench/bench.hpp"
#include "tests/bench/training.hpp"

namespace fovea::bench {
namespace {

const cv::Size kPicture(999, 960);

cv::Mat picture() {
  cv::Mat small(60, 62, CV_8UC3), out;
  cv::randu(small, 0, 256);
  cv::resize(small, out, kPicture, 0, 0, cv::INTER_CUBIC);
  return out;
}

// MiB that the process has held at most since the last call; NaN where the system does not say.
double most_memory() {
  std::ifstream status("/proc/self/status");
  double kib = std::nan("");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) kib = std::stod(line.substr(6));
  std::ofstream("/proc/self/clear_refs") << 5;
  return kib / 1024;
}

void measure(Report& report, const Model& model, int threads) {
  const ThreadScope thread_scope(threads);
  const Highlighter highlighter(model, {});
  const cv::Mat pixels = picture();
  const auto name = [&](const char* what) { return fmt::format("highlight.{}.{}t", what, threads); };
  memory::trim();
  most_memory();
  const auto look = [&] { highlighter(unit_range(pixels, model.preprocess())); };
  look();
  report.note(name("process_peak_MiB"), most_memory());
  BareForward bare(model, {1, model.channels(), kPicture.height, kPicture.width}, DType::f32);
  const Times t = interleaved(11, {timed([&] { bare(); }), timed(look)});
  report.note(name("picture_999x960.ms"), t.median(1) * 1e3);
  report.note(name("direct_convolutions.ms"), t.median(0) * 1e3);
  report.at_most(name("picture/direct_convolutions"), t.over(1, 0), 1.30);
}

}  // namespace

void highlight(Report& report) {
  const Model model = Model::load("vessels");
  for (const int threads : {1, 2}) {
    if (threads > cpu_budget()) report.skip(fmt::format("highlight.{}t", threads), "one processor");
    else measure(report, model, threads);
  }
}

}  // namespace fovea::bench
