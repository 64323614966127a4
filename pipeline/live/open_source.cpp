#include "pipeline/live/open_source.hpp"

#include <charconv>
#include <filesystem>

#include "datasets/video/address.hpp"
#include "pipeline/errors.hpp"
#include "pipeline/live/folder_source.hpp"
#include "pipeline/live/stdin_source.hpp"
#include "pipeline/live/v4l2_source.hpp"
#include "pipeline/live/video_source.hpp"

namespace fovea {
namespace {

enum class Kind { camera, video, address, folder, pipe };

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::camera: return "a camera";
    case Kind::video: return "a video file";
    case Kind::address: return "an address";
    case Kind::folder: return "a folder";
    case Kind::pipe: return "standard input";
  }
  return "";
}

Kind kind_of(const std::string& source) {
  if (source.empty()) return Kind::camera;
  if (source == "-") return Kind::pipe;
  if (is_address(source)) return Kind::address;
  std::error_code ignored;
  if (std::filesystem::is_directory(source, ignored)) return Kind::folder;
  return std::filesystem::is_character_file(source, ignored) ? Kind::camera : Kind::video;
}

void refuse(bool wrong, const char* option, const char* of, Kind got) {
  if (wrong) throw UsageError(std::string(option) + " is for " + of + "; the source is " + name_of(got));
}

void check_fit(const SourceChoice& c, Kind kind) {
  if (c.device && !c.source.empty())
    throw UsageError("expected a source or --device, got both: " + masked_address(c.source) + " and --device " +
                     std::to_string(*c.device));
  refuse(!c.size.empty() && kind != Kind::camera, "--size", "cameras", kind);
  refuse(c.rate > 0 && kind != Kind::camera && kind != Kind::folder, "--rate", "cameras and folders", kind);
  refuse(!c.raw.empty() && kind != Kind::pipe, "--raw", "standard input (-)", kind);
  refuse(c.loop && (kind == Kind::camera || kind == Kind::pipe), "--loop", "video files and folders", kind);
}

std::unique_ptr<LiveSource> open_camera(const SourceChoice& c) {
  CameraOptions options;
  options.device = c.source.empty() ? "/dev/video" + std::to_string(c.device.value_or(0)) : c.source;
  if (!c.size.empty()) options.size = parse_size(c.size, "--size");
  options.rate = c.rate;
  return v4l2_source(options);
}

std::unique_ptr<LiveSource> open_folder(const SourceChoice& c) {
  FolderSourceOptions options;
  options.loop = c.loop;
  if (c.rate > 0) options.rate = c.rate;
  return folder_source(c.source, options);
}

std::unique_ptr<LiveSource> open_pipe(const SourceChoice& c) {
  StreamSourceOptions options;
  if (!c.raw.empty()) options.raw = parse_size(c.raw, "--raw");
  return stdin_source(options);
}

}  // namespace

cv::Size parse_size(const std::string& text, const std::string& option) {
  constexpr int kMostSide = 16384;
  cv::Size size;
  const char* const end = text.data() + text.size();
  const auto width = std::from_chars(text.data(), end, size.width);
  const bool crossed = width.ec == std::errc() && width.ptr != end && *width.ptr == 'x';
  const auto height = crossed ? std::from_chars(width.ptr + 1, end, size.height) : width;
  const bool whole = crossed && height.ec == std::errc() && height.ptr == end;
  if (!whole || size.width < 1 || size.width > kMostSide || size.height < 1 || size.height > kMostSide)
    throw UsageError(option + ": expected WIDTHxHEIGHT with sides from 1 to " + std::to_string(kMostSide) + " (640x480), got \"" +
                     text + "\"");
  return size;
}

std::unique_ptr<LiveSource> open_source(const SourceChoice& choice) {
  const Kind kind = kind_of(choice.source);
  check_fit(choice, kind);
  switch (kind) {
    case Kind::camera: return open_camera(choice);
    case Kind::folder: return open_folder(choice);
    case Kind::pipe: return open_pipe(choice);
    default: return std::make_unique<VideoSource>(choice.source, VideoSourceOptions{.loop = choice.loop});
  }
}

}  // namespace fovea
