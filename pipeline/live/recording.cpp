#include "pipeline/live/recording.hpp"

#include <algorithm>
#include <cmath>
#include <system_error>

#include "pipeline/errors.hpp"

namespace fovea {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostWaiting = 8;
constexpr TimeBase kTicks{1, 90'000};
// What the end of a video takes: what the encoder still holds, and the index, by the number of pictures.
constexpr std::uintmax_t kSpareBytes = std::uintmax_t{16} << 20, kIndexBytes = 32;

VideoWriterSettings settings_for(cv::Size size) { return {.size = size, .time_base = kTicks, .crf = 23, .preset = "veryfast"}; }

// Name, folder and encoder are known to do before the run begins.
fs::path checked(const fs::path& file) {
  VideoWriter(file, settings_for({16, 16}));
  return file;
}

fs::path numbered(const fs::path& file, int number) {
  if (number == 1) return file;
  return file.parent_path() / (file.stem().string() + "-" + std::to_string(number) + file.extension().string());
}

}  // namespace

Recording::Recording(fs::path file, Room room) : file_(checked(file)), room_(std::move(room)), thread_([this] { run(); }) {}

Recording::~Recording() {
  {
    std::lock_guard lock(mutex_);
    ending_ = abandoned_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Recording::show(const SeenFrame& seen) {
  {
    std::lock_guard lock(mutex_);
    rethrow();
    if (waiting_.size() == kMostWaiting) ++dropped_;
    else waiting_.push_back({seen.drawn, seen.frame.seconds});
  }
  wake_.notify_all();
}

void Recording::finish() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  rethrow();
}

std::int64_t Recording::dropped() const {
  std::lock_guard lock(mutex_);
  return dropped_;
}

std::vector<fs::path> Recording::files() const {
  std::lock_guard lock(mutex_);
  return files_;
}

void Recording::rethrow() const {
  if (error_) std::rethrow_exception(error_);
}

void Recording::run() try {
  for (;;) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [&] { return ending_ || !waiting_.empty(); });
    if (abandoned_) return;
    if (waiting_.empty()) break;
    const Picture picture = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    write(picture);
  }
  end();
} catch (...) {
  std::lock_guard lock(mutex_);
  error_ = std::current_exception();
}

void Recording::write(const Picture& picture) {
  // A full disk would leave no room for the index, without which nothing of a video can be shown.
  const bool room = has_room();
  if (writer_ && (!room || picture.image.size() != size_)) end();
  if (!room) throw EnvironmentError(file_.string() + ": the disk is full; what was recorded until then is whole");
  if (!writer_) begin(picture);
  // Two pictures of one moment, or a clock that goes back: the recording goes on.
  const std::int64_t pts = std::llround((picture.seconds - first_) / kTicks.seconds(1));
  last_pts_ = pictures_ == 0 ? 0 : std::max(pts, last_pts_ + 1);
  writer_->write(picture.image, last_pts_);
  ++pictures_;
}

void Recording::begin(const Picture& picture) {
  size_ = picture.image.size();
  first_ = picture.seconds;
  pictures_ = 0;
  current_ = numbered(file_, ++begun_);
  writer_ = std::make_unique<VideoWriter>(current_, settings_for(size_));
}

void Recording::end() {
  if (!writer_) return;
  const auto writer = std::exchange(writer_, nullptr);
  writer->finish();
  std::lock_guard lock(mutex_);
  files_.push_back(current_);
}

bool Recording::has_room() const {
  return room_(fs::absolute(file_).parent_path()) >= kSpareBytes + kIndexBytes * static_cast<std::uintmax_t>(pictures_);
}

std::uintmax_t Recording::room_on_disk(const fs::path& folder) {
  std::error_code unknown;  // then it counts as endless
  return fs::space(folder, unknown).available;
}

}  // namespace fovea
