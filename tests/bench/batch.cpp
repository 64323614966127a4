// What the command makes of a folder: is the processor busy with the model and the codecs only, and does memory stay flat.
#include <fmt/core.h>

#include <array>
#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <sstream>

#include "modules/core/error.hpp"
#include "tests/bench/bench.hpp"
#include "tests/bench/child.hpp"

namespace fovea::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::array kPhotographs{"aloeL",  "baboon", "board",   "building", "butterfly",
                                  "fruits", "home",   "leuvenA", "messi5",   "stuff"};

cv::Mat photograph(std::size_t i) {
  const std::string file = fmt::format("/usr/share/doc/opencv-doc/examples/data/{}.jpg", kPhotographs[i % kPhotographs.size()]);
  cv::Mat image = cv::imread(file, cv::IMREAD_COLOR);
  check(!image.empty(), "bench: expected a photograph at ", file, " (Debian's package opencv-doc)");
  return image;
}

// `count` different pictures of one size: crops at different positions, cut from photographs scaled to a little more than that.
fs::path make_folder(const std::string& name, int count, cv::Size size) {
  const fs::path folder = scratch_folder() / name;
  fs::remove_all(folder);
  fs::create_directories(folder);
  for (int i = 0; i < count; ++i) {
    const cv::Mat image = photograph(static_cast<std::size_t>(i));
    const double fit = 1.2 * std::max(size.width / double(image.cols), size.height / double(image.rows));
    cv::Mat scaled;
    cv::resize(image, scaled, {}, fit, fit, fit < 1 ? cv::INTER_AREA : cv::INTER_CUBIC);
    const int x = (i * 7) % (scaled.cols - size.width + 1), y = (i * 5) % (scaled.rows - size.height + 1);
    const fs::path file = folder / fmt::format("{:04}.jpg", i);
    check(cv::imwrite(file.string(), scaled(cv::Rect({x, y}, size))), "bench: cannot write ", file.string());
  }
  return folder;
}

// Upscales a folder afresh and returns the summary, the last line that the command prints.
nlohmann::json upscale(const fs::path& input) {
  const fs::path output = input.string() + "_out";
  fs::remove_all(output);
  std::istringstream lines(output_of(
      {program("fovea").string(), "upscale", input.string(), "-o", output.string(), "--scale", "2", "--json", "--quiet"}));
  std::string line, last;
  while (std::getline(lines, line))
    if (!line.empty()) last = line;
  fs::remove_all(output);
  const auto summary = nlohmann::json::parse(last, nullptr, false);
  check(summary.is_object(), "bench: expected a JSON summary from fovea upscale, got ", last);
  return summary;
}

double work_over_budget(const nlohmann::json& s) {
  const double cpu = s.at("model_cpu_s").get<double>() + s.at("codec_cpu_s").get<double>();
  return s.at("wall_s").get<double>() / (cpu / s.at("threads").get<double>());
}

// Wall time against the work there was, spread over the threads. Also says how fast that was.
void throughput(Report& report) {
  const fs::path folder = make_folder("photos100", 100, {480, 360});
  std::vector<double> ratios, walls;
  for (int round = 0; round < 3; ++round) {
    const nlohmann::json summary = upscale(folder);
    ratios.push_back(work_over_budget(summary));
    walls.push_back(summary.at("wall_s"));
  }
  report.note("batch.images_per_second", 100 / median(walls));
  report.at_most("batch.wall_over_work", spread(ratios), 1.10);
}

// Pictures of one size, so that the only difference is how many there are.
void memory(Report& report) {
  const cv::Size size{160, 120};
  const fs::path few = make_folder("photos10", 10, size), many = make_folder("photos1000", 1000, size);
  std::vector<double> peaks;
  for (int round = 0; round < 3; ++round) peaks.push_back(upscale(few).at("peak_rss_mb"));
  const double peak_few = median(peaks), peak_many = upscale(many).at("peak_rss_mb");
  report.note("batch.peak_mb_10_images", peak_few);
  report.note("batch.peak_mb_1000_images", peak_many);
  report.at_most("batch.peak_1000_over_10", peak_many / peak_few, 1.10);
}

}  // namespace

void batch(Report& report) {
  throughput(report);
  memory(report);
}

}  // namespace fovea::bench
