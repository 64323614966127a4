#include "pipeline/stages/stream_writer.hpp"

#include <cerrno>
#include <opencv2/imgproc.hpp>
#include <system_error>

#include "datasets/image.hpp"
#include "modules/io/files.hpp"
#include "pipeline/output_names.hpp"
#include "pipeline/sinks/ledger_json.hpp"
#include "pipeline/stages/save.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

constexpr int kJpegQuality = 90;

VideoWriterSettings settings_of(const Frame& frame, const VideoFacts& facts) {
  VideoWriterSettings s{.size = facts.size, .time_base = facts.time_base};
  s.frame_rate = facts.frame_rate, s.sample_aspect = facts.sample_aspect;
  s.preset = "veryfast";  // the network should have the processors
  // A voice may tell what an alias must not.
  if (facts.has_audio && frame.address.empty() && frame.alias.empty()) s.audio_from = frame.input;
  return s;
}

}  // namespace

StreamWriter::StreamWriter(const Frame& frame, const StreamOutputs& outputs, const VideoFacts& facts)
    : output_(outputs.files ? frame.output : fs::path()), size_(facts.size) {
  if (output_.empty()) return;
  const fs::path lines = beside(output_, "jsonl");
  write_output(lines, [&] {
    lines_file_.emplace(lines);
    lines_.open(lines_file_->temporary(), std::ios::binary);
  });
  if (outputs.drawn) drawings_.push_back({"", beside(output_, "boxes.mp4"), nullptr});
  for (const std::string& map : outputs.maps) drawings_.push_back({map, beside(output_, map + ".mp4"), nullptr});
  for (Drawing& d : drawings_)
    write_output(d.file, [&] { d.video = std::make_unique<VideoWriter>(d.file, settings_of(frame, facts)); });
}

void StreamWriter::write(const VideoFrame& picture, nlohmann::ordered_json answer, const FrameAnalyzer& analyzer) {
  nlohmann::ordered_json line{{"frame", count_++}, {"pts", picture.pts}, {"seconds", picture.seconds}};
  if (picture.image.size() != size_) line["width"] = picture.image.cols, line["height"] = picture.image.rows;
  const std::size_t objects = answer.at("objects").size();
  line.update(answer);
  if (output_.empty()) return;
  errno = 0;
  lines_ << dump(line) << '\n';
  if (!lines_)
    throw EnvironmentError(beside(output_, "jsonl").string() + ": cannot write: " + std::generic_category().message(errno));
  draw(picture, analyzer, objects);
}

void StreamWriter::draw(const VideoFrame& picture, const FrameAnalyzer& analyzer, std::size_t objects) {
  for (Drawing& d : drawings_) {
    cv::Mat drawn = analyzer.draw(picture.image, d.map, analyzer.opacity());
    if (d.map.empty() && (poster_.empty() || objects > most_)) poster_ = drawn, most_ = objects;
    if (drawn.size() != size_) {
      cv::Mat fitted;
      cv::resize(drawn, fitted, size_, 0, 0, cv::INTER_AREA);
      drawn = fitted, resized_ = true;
    }
    write_output(d.file, [&] { d.video->write(drawn, picture.pts, picture.duration); });
  }
}

void StreamWriter::finish(Frame& frame, const nlohmann::ordered_json& summary, bool whole) {
  if (output_.empty()) return;
  for (Drawing& d : drawings_) {
    write_output(d.file, [&] { d.video->finish(whole); });
    for (const std::string& note : d.video->notes()) frame.notes.push_back(note);
    frame.written.push_back(d.file);
  }
  if (resized_) frame.notes.push_back("its pictures change their size: those of the drawn video have the first one's");
  if (!poster_.empty()) {
    const fs::path file = beside(output_, "boxes.jpg");
    Image image;
    image.pixels = poster_;
    const auto bytes = encode_image(image, "jpg", {.jpeg_quality = kJpegQuality});
    write_output(file, [&] { write_file_atomically(file, bytes.data(), bytes.size()); });
    frame.written.push_back(file);
  }
  lines_.close();
  write_output(output_, [&] { lines_file_->keep(); });
  frame.written.push_back(beside(output_, "jsonl"));
  write_output(output_, [&] { write_file_atomically(output_, dump(summary) + "\n"); });
}

}  // namespace fovea
