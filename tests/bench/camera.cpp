// A live run as its users have it: `fovea camera` plays 30 frames a second of 640x480 to a browser that shows them with an attention map, on the
// machine's processors. FOVEA_BENCH_SECONDS says how long (30).
#include <fmt/core.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <opencv2/imgproc.hpp>
#include <thread>

#include "datasets/video/writer.hpp"
#include "modules/model.hpp"
#include "tests/bench/bench.hpp"
#include "tests/bench/child.hpp"
#include "tests/pipeline/live/web_visitor.hpp"

namespace fovea::bench {
namespace {

namespace fs = std::filesystem;

constexpr int kFrames = 300, kRate = 30;
constexpr double kLongEnough = 120;  // seconds, to judge by what memory grows

double seconds_asked_for() {
  const char* const text = std::getenv("FOVEA_BENCH_SECONDS");
  return text ? std::atof(text) : 30;
}

// A walk over a landscape of noise, rough and smooth.
fs::path video() {
  const fs::path file = scratch_folder() / "camera.mp4";
  cv::RNG random(7);
  cv::Mat land = cv::Mat::zeros(960, 1280, CV_8UC3);
  for (const int side : {8, 40, 200}) {
    cv::Mat noise(side * 3 / 4, side, CV_8UC3);
    random.fill(noise, cv::RNG::UNIFORM, 0, 90);
    cv::resize(noise, noise, land.size(), 0, 0, cv::INTER_CUBIC);
    land += noise;
  }
  VideoWriter out(file, {.size = {640, 480}, .time_base = {1, kRate}, .frame_rate = kRate, .preset = "veryfast"});
  for (int i = 0; i < kFrames; ++i) {
    const int step = std::min(i, kFrames - i);  // there and back
    out.write(land(cv::Rect(2 * step, step, 640, 480)).clone(), i);
  }
  out.finish();
  return file;
}

// A browser that opens the address and takes every picture, on a thread of its own.
class Browsing {
 public:
  explicit Browsing(const std::string& address)
      : thread_([this, address](const std::stop_token& stop) { follow(address, stop); }) {}

  std::int64_t bytes() const { return bytes_; }

 private:
  void follow(const std::string& address, const std::stop_token& stop) {
    const std::size_t colon = address.rfind(':'), path = address.find('/', colon);
    test::Browser browser{std::stoi(address.substr(colon + 1, path - colon - 1))};
    const std::string cookie = browser.get(address.substr(path)).header("Set-Cookie");
    browser.cookie = cookie.substr(0, cookie.find(';'));
    test::Visitor stream(browser.port);
    stream.send(browser.request("GET", "/stream"));
    while (!stop.stop_requested() && !stream.closed())
      bytes_ += static_cast<std::int64_t>(stream.receive(std::chrono::milliseconds(100)).size());
  }

  std::atomic<std::int64_t> bytes_{0};
  std::jthread thread_;  // the last member: it uses the others
};

// MiB a minute by least squares, of the second half: buffers have grown by then.
double slope(const std::vector<std::pair<double, double>>& memory) {
  double n = 0, x = 0, y = 0, xx = 0, xy = 0;
  for (std::size_t i = memory.size() / 2; i < memory.size(); ++i) {
    const auto [minutes, mib] = memory[i];
    n += 1, x += minutes, y += mib, xx += minutes * minutes, xy += minutes * mib;
  }
  return (n * xy - x * y) / (n * xx - x * x);
}

}  // namespace

void camera(Report& report) {
  const double seconds = seconds_asked_for();
  const std::string name = "photos";
  Child run({program("fovea").string(), "camera", video().string(), "--loop", "--model", name, "--maps", "**", "--json",
             "--limit", fmt::format("{}", seconds)});
  std::unique_ptr<Browsing> browser;
  std::vector<std::pair<double, double>> memory;
  nlohmann::json line;
  do {
    line = nlohmann::json::parse(run.read_line());
    if (line["event"] == "page" && !browser) browser = std::make_unique<Browsing>(line["address"]);
    if (line["event"] == "status") memory.emplace_back(line["seconds"].get<double>() / 60, line["memory_mb"]);
  } while (line["event"] != "summary");
  check(memory.size() >= 6, "bench: expected a run of some seconds, got ", memory.size(), " statuses; FOVEA_BENCH_SECONDS is ",
        seconds);
  report.state("camera.model", name);
  report.note("camera.seconds", line["seconds"]);
  report.note("camera.captured", line["captured"]);
  report.note("camera.dropped", line["dropped"].get<double>() + line["missed"].get<double>());
  report.note("camera.streamed_kib_per_frame", static_cast<double>(browser->bytes()) / 1024 / line["processed"].get<double>());
  report.at_least("camera.frames_per_second", line["fps"], 25);
  report.note("camera.age_ms.median", line["age_ms"]["median"]);
  report.at_most("camera.age_ms.p99", line["age_ms"]["p99"], 100);
  report.note("camera.memory_mib.first", memory.front().second);
  report.note("camera.memory_mib.last", memory.back().second);
  const std::string growth = "camera.memory_mib_per_minute";
  if (seconds >= kLongEnough) report.at_most(growth, slope(memory), 0.5);
  else report.note(growth, slope(memory));
}

}  // namespace fovea::bench
