#include "datasets/video/input.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <vector>

#include "datasets/video/address.hpp"
#include "modules/core/error.hpp"
#include "modules/io/files.hpp"

namespace fovea::ffmpeg {
namespace {

// Those that hold a video in one file. Playlists, lists of parts, descriptions of sessions and numbered pictures read other
// files.
constexpr const char* kFormats =
    "mov,matroska,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,vvc,flv,asf,ogg,ivf,obu,av1,mjpeg,mpjpeg,yuv4mpegpipe,nut,mxf,wtv,rm,"
    "dv,gif,apng,dirac,vc1,h263";
// What servers send beside these: sessions, and playlists with their sound.
constexpr const char* kServerFormats = ",rtsp,rtp,hls,jpeg_pipe,aac,ac3,eac3,mp3,webvtt";
constexpr const char* kServerProtocols = "rtsp,rtsps,rtp,udp,tcp,http,https,tls";

std::string display_name(const std::string& source, bool is_address) { return is_address ? masked_address(source) : source; }

void check_scheme(const std::string& address, const std::string& name) {
  const std::string scheme = address.substr(0, address.find("://"));
  constexpr const char* kSchemes[] = {"rtsp", "rtsps", "rtp", "udp", "tcp", "http", "https"};
  const bool known = std::any_of(std::begin(kSchemes), std::end(kSchemes), [&](const char* s) { return scheme == s; });
  check(known, name, ": expected an address of rtsp, rtsps, rtp, udp, tcp, http or https, got ", scheme);
}

[[noreturn]] void cannot_read(const std::string& name, int error) {
  throw FileError(
      name + ": cannot read: " + (error == ENOENT ? "no such file or folder" : std::generic_category().message(error)), error);
}

// FFmpeg takes a file of JPEGs for one picture; by their name they are many.
const AVInputFormat* format_of(AVIOContext* file, const std::string& name) {
  std::string extension = std::filesystem::path(name).extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (!file || (extension != ".mjpeg" && extension != ".mjpg")) return nullptr;
  const int first = avio_r8(file), second = avio_r8(file);
  return avio_seek(file, 0, SEEK_SET) == 0 && first == 0xff && second == 0xd8 ? av_find_input_format("mjpeg") : nullptr;
}

// FFmpeg would tell less.
void check_file(const std::string& file) {
  check(!file.empty(), "a video: expected a name, got none");
  check(file.find('\0') == std::string::npos, "a video: expected a name, got one with a null character");
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) cannot_read(file, errno);
  check(!S_ISDIR(info.st_mode), file, ": cannot read: it is a folder, expected a file");
  check(S_ISREG(info.st_mode) || S_ISFIFO(info.st_mode), file, ": cannot read: it is a device or socket, expected a file");
  check(!S_ISREG(info.st_mode) || info.st_size > 0, file, ": the file is empty");
}

}  // namespace

Input::Input(const std::string& source, const VideoOptions& options)
    : name_(display_name(source, fovea::is_address(source))),
      is_address_(fovea::is_address(source)),
      url_(is_address_ ? source : "file:" + source),
      timeout_(options.timeout),
      watch_{options.stop} {
  listen();
  if (is_address_) check_scheme(source, name_);
  else check_file(source);
  check(options.timeout > 0 && options.timeout < 1e6, name_, ": expected a time-out over 0 seconds, got ", options.timeout);
  open(options);
  find_streams(options);
}

void Input::start_waiting() {
  if (!is_address_) return;
  watch_.deadline = std::chrono::steady_clock::now() + std::chrono::microseconds(static_cast<std::int64_t>(timeout_ * 1e6));
}

void Input::open(const VideoOptions& options) {
  Options all;
  const std::string formats = is_address_ ? std::string(kFormats) + kServerFormats : kFormats;
  all.set("format_whitelist", formats);
  all.set("protocol_whitelist", is_address_ ? kServerProtocols : "file");
  if (is_address_) all.set("rtsp_transport", "tcp");
  if (is_address_ && options.low_latency) {  // frames read meanwhile are kept: the first key frame is among them
    all.set("analyzeduration", "1000000");   // microseconds
    all.set("fpsprobesize", "0");
  }
  AVFormatContext* context = allocated(avformat_alloc_context());
  context_.reset(context);
  context->interrupt_callback.opaque = &watch_;
  context->interrupt_callback.callback = [](void* opaque) {
    const auto& watch = *static_cast<const Watch*>(opaque);
    return watch.stopped() || watch.late() ? 1 : 0;
  };
  if (!is_address_) open_file();
  context->pb = file_.get();
  start_waiting();
  const AVInputFormat* format = format_of(file_.get(), name_);
  (void)context_.release();  // a call that fails destroys it
  const int error = avformat_open_input(&context, url_.c_str(), format, all.get());
  if (error < 0) cannot_open(error);
  context_.reset(context);
}

// By us, so that what the disk said can be told from what the file holds.
void Input::open_file() {
  Options protocols;
  protocols.set("protocol_whitelist", "file");
  AVIOContext* file = nullptr;
  const int error = avio_open2(&file, url_.c_str(), AVIO_FLAG_READ, &context_->interrupt_callback, protocols.get());
  file_.reset(file);
  check(!watch_.stopped(), name_, ": stopped before it was open");
  if (error < 0) cannot_read(name_, system_error(error));
}

void Input::find_streams(const VideoOptions& options) {
  const unsigned count = context_->nb_streams;
  std::vector<Options> limits(count);
  std::vector<AVDictionary*> dictionaries;
  for (Options& limit : limits) {
    limit.set("max_pixels", std::to_string(options.most_pixels));
    dictionaries.push_back(*limit.get());
  }
  start_waiting();
  const int error = avformat_find_stream_info(context_.get(), count ? dictionaries.data() : nullptr);
  for (unsigned i = 0; i < count; ++i) *limits[i].get() = dictionaries[i];
  if (watch_.stopped() || watch_.late()) cannot_open(AVERROR_EXIT);
  if (error < 0) cannot_open(error);
}

void Input::cannot_open(int error) const {
  check(!watch_.stopped(), name_, ": stopped before it was open");
  check(!watch_.late(), name_, ": no answer for ", timeout_, " seconds");
  if (error == AVERROR(ENOMEM)) throw FileError(name_ + ": cannot read: not enough memory", ENOMEM);
  if (is_address_ && system_error(error) != 0 && error != AVERROR(EINVAL)) fail(name_, ": cannot connect: ", reason(error));
  check_disk();
  const std::string kept = last_message();
  const bool listed = kept.find("not on whitelist") == std::string::npos;
  check(listed, name_, ": not a video, or of a format that is not read: playlists and lists of other files are not");
  if (error == AVERROR_INVALIDDATA || error == AVERROR_EOF || system_error(error) != 0)
    fail(name_, ": not a video, or damaged", kept.empty() ? "" : ": ", kept);
  fail(name_, ": cannot read: ", reason(error));
}

// A file that ends early or holds nonsense is no error of the disk.
void Input::check_disk() const {
  if (file_ && file_->error < 0 && file_->error != AVERROR_EOF) cannot_read(name_, system_error(file_->error));
}

Input::Read Input::read(AVPacket& packet, const std::atomic<bool>* stop) {
  watch_.now = stop;
  start_waiting();
  const int error = av_read_frame(context_.get(), &packet);
  const bool stopped = watch_.stopped();
  watch_.now = nullptr;  // closing a connection asks, too
  if (error >= 0) return Read::packet;
  return stopped ? Read::stopped : judge(error);
}

Input::Read Input::judge(int error) {
  check(!watch_.late(), name_, ": no data for ", timeout_, " seconds");
  if (error == AVERROR(ENOMEM)) throw FileError(name_ + ": cannot read: not enough memory", ENOMEM);
  check_disk();
  const AVIOContext* stream = context_->pb;
  if (is_address_) {
    const int broken = stream && stream->error < 0 && stream->error != AVERROR_EOF ? stream->error : error;
    check(system_error(broken) == 0 || broken == AVERROR(EAGAIN), name_, ": the connection broke off: ", reason(broken));
  }
  if (error == AVERROR_EOF) return Read::end;
  cut_ = stream && stream->eof_reached;
  return cut_ ? Read::end : Read::damaged;
}

}  // namespace fovea::ffmpeg
