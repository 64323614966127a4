// Videos as inputs of a run: every picture is looked at once and followed in its order, and what is written fits together.
#include "pipeline/stages/stream.hpp"

#include <chrono>
#include <fstream>
#include <set>
#include <thread>

#include "modules/core/json.hpp"
#include "modules/core/threads.hpp"
#include "tests/datasets/video/videos.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"

using namespace fovea;
using namespace fovea::test;
namespace fs = std::filesystem;

namespace {

// Says of each picture which one it is, by where its bright square is, and how many came before.
class Counting final : public FrameAnalyzer {
 public:
  double threshold() const override { return 0.5; }
  std::vector<std::string> maps() const override { return {"map"}; }
  std::any look(const cv::Mat& picture, const std::vector<std::string>&) const override {
    // The first ones take longest.
    std::this_thread::sleep_for(std::chrono::milliseconds(picture.at<cv::Vec3b>(0, 0)[0] % 7));
    return cv::mean(picture)[0];
  }
  nlohmann::ordered_json follow(std::any seen, const cv::Mat&, double, double) override {
    nlohmann::ordered_json objects = nlohmann::ordered_json::array();
    for (int i = 0; i < (count_ == 4 ? 3 : 1); ++i) objects.push_back({{"class", "square"}, {"score", 1}});
    return {{"objects", objects}, {"mean", std::any_cast<double>(seen)}, {"before", count_++}};
  }
  cv::Mat draw(const cv::Mat& picture, const std::string& map, double) const override {
    return map.empty() ? picture : cv::Mat(picture.size(), CV_8UC3, cv::Scalar::all(200));
  }
  nlohmann::ordered_json summary() const override { return {{"classes", nlohmann::ordered_json::array()}, {"count", count_}}; }

 private:
  int count_ = 0;
};

class Unused final : public Stage {
 public:
  std::string_view name() const override { return "unused"; }
  Contract contract() const override { return {}; }
  void process(std::span<Frame>) override { throw Error("a picture was expected"); }
};

Frame frame_for(const fs::path& file, const fs::path& output) {
  Frame frame;
  frame.source = file.string(), frame.input = file, frame.output = output, frame.stream = true;
  return frame;
}

Frame analyzed(Frame frame, int width, const StreamOutputs& outputs = {}) {
  AnalyzeStreams stage(
      std::make_unique<Unused>(), [] { return std::make_unique<Counting>(); }, outputs);
  const ThreadScope scope(width);
  stage.process(std::span(&frame, 1));
  return frame;
}

std::vector<JsonValue> lines_of(const fs::path& file) {
  std::ifstream in(file);
  std::vector<JsonValue> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(JsonValue::parse(line, file.string()));
  return lines;
}

}  // namespace

TEST_CASE("videos in a run: frames in order, with their times, side by side or not") {
  const Folder dir;
  const auto stamps = [](int k) { return std::int64_t{40} * k + (k % 3) * 5; };  // a variable rate
  VideoWriterSettings settings = small_settings();
  settings.time_base = {1, 1000};
  write_video(dir / "v.mp4", settings, 24, stamps);
  const std::vector<VideoFrame> frames = frames_of(dir / "v.mp4");
  for (const int width : {1, 2}) {
    const fs::path output = dir / ("out" + std::to_string(width)) / "v.mp4.json";
    const Frame frame = analyzed(frame_for(dir / "v.mp4", output), width, {.maps = {"map"}});
    CHECK(frame.complete);
    const auto lines = lines_of(fs::path(output).replace_extension("jsonl"));
    REQUIRE(lines.size() == frames.size());
    for (std::size_t i = 0; i < lines.size(); ++i) {
      CHECK(lines[i].at("frame").whole<std::size_t>() == i);
      CHECK(lines[i].at("before").whole<std::size_t>() == i);
      CHECK(lines[i].at("pts").whole<std::int64_t>() == frames[i].pts);
      CHECK(lines[i].at("seconds").number() == frames[i].seconds);
      CHECK(lines[i].at("mean").number() == cv::mean(frames[i].image)[0]);
    }
    const auto drawn = frames_of(fs::path(output).replace_extension("boxes.mp4"));
    const auto map = frames_of(fs::path(output).replace_extension("map.mp4"));
    REQUIRE(drawn.size() == frames.size());
    REQUIRE(map.size() == frames.size());
    for (std::size_t i = 0; i < drawn.size(); ++i) {
      CHECK(drawn[i].seconds - drawn[0].seconds == Approx(frames[i].seconds - frames[0].seconds).margin(1e-9));
      CHECK(psnr(drawn[i].image, frames[i].image) > 25);
    }
    // The picture with the most objects.
    const Image poster = read_image(fs::path(output).replace_extension("boxes.jpg"));
    CHECK(psnr(poster.pixels, frames[4].image) > 30);
    CHECK(frame.written.size() == 4);
    for (const fs::path& file : frame.written) CHECK(fs::exists(file));
    const JsonValue summary = JsonValue::parse(bytes_of(output), "summary");
    CHECK(summary.at("video").at("frames").whole<std::size_t>() == frames.size());
    CHECK(summary.at("count").whole<std::size_t>() == frames.size());
  }
}

TEST_CASE("videos in a run: a limit in seconds, an answer without a folder, only what was asked for") {
  const Folder dir;
  write_video(dir / "v.mp4", small_settings(), 20);
  const double step = frames_of(dir / "v.mp4")[1].seconds - frames_of(dir / "v.mp4")[0].seconds;
  const Frame frame = analyzed(frame_for(dir / "v.mp4", dir / "v.mp4.json"), 2, {.files = false, .limit = 7.5 * step});
  CHECK(frame.results.get(kStreamSummary).at("video").at("frames") == 8);
  CHECK(!frame.complete);
  CHECK(!fs::exists(dir / "v.mp4.json"));
  const fs::path output = dir / "out/v.mp4.json";
  analyzed(frame_for(dir / "v.mp4", output), 1, {.drawn = false});
  std::set<std::string> there;
  for (const auto& entry : fs::directory_iterator(dir / "out")) there.insert(entry.path().filename().string());
  CHECK(there == std::set<std::string>{"v.mp4.json", "v.mp4.jsonl"});
}

TEST_CASE("videos in a run: what is no video is refused, what is cut gives what it has, and nothing half is left") {
  const Folder dir;
  put_bytes(dir / "no.mp4", std::string(2000, 'x'));
  CHECK_THROWS_AS(analyzed(frame_for(dir / "no.mp4", dir / "out/no.mp4.json"), 2), Error);
  CHECK((!fs::exists(dir / "out") || fs::is_empty(dir / "out")));
  write_video(dir / "v.mkv", small_settings(), 40);
  const std::string whole = bytes_of(dir / "v.mkv");
  put_bytes(dir / "cut.mkv", whole.substr(0, whole.size() * 2 / 3));
  const Frame cut = analyzed(frame_for(dir / "cut.mkv", dir / "out/cut.mkv.json"), 2);
  const auto lines = lines_of(dir / "out/cut.mkv.jsonl");
  CHECK(lines.size() > 4);
  CHECK(lines.size() < 40);
  CHECK(!cut.notes.empty());
}
