// Drawn pictures into a video, with their times. A thread of its own encodes: a slow disk or a busy encoder costs pictures of the recording, which
// are counted, and never holds up the run.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "datasets/video/writer.hpp"
#include "pipeline/live/live_view.hpp"

namespace fovea {

class Recording final : public LiveView {
 public:
  using Room = std::function<std::uintmax_t(const std::filesystem::path& folder)>;  // bytes that are left there

  // .mp4 or .mkv. Where the size of the pictures changes a new file begins: out.mp4, out-2.mp4 ... A disk with less than 16 MiB (and an index)
  // left counts as full: what was recorded until then becomes a whole file. Error, FileError where it cannot be written.
  explicit Recording(std::filesystem::path file, Room room = room_on_disk);
  ~Recording() override;  // without finish(): nothing takes the name of the file being written
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  bool wants_picture() override { return true; }
  // Throws what went wrong with an earlier picture. EnvironmentError: the disk is full.
  void show(const SeenFrame& seen) override;
  // All pictures are in complete files then, but where one was refused: what was wrong is thrown.
  void finish() override;

  std::int64_t dropped() const;                      // pictures for which the encoder had no time
  std::vector<std::filesystem::path> files() const;  // that are complete

 private:
  struct Picture {
    cv::Mat image;
    double seconds;
  };

  void run();
  void write(const Picture& picture);
  void begin(const Picture& picture);
  void end();
  bool has_room() const;
  void rethrow() const;
  static std::uintmax_t room_on_disk(const std::filesystem::path& folder);

  const std::filesystem::path file_;
  const Room room_;

  // Of the thread.
  std::unique_ptr<VideoWriter> writer_;
  std::filesystem::path current_;
  cv::Size size_;
  double first_ = 0;           // seconds of the file's first picture
  std::int64_t last_pts_ = 0;  // of its last
  std::int64_t pictures_ = 0;  // in it
  int begun_ = 0;              // files

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::deque<Picture> waiting_;
  bool ending_ = false, abandoned_ = false;
  std::int64_t dropped_ = 0;
  std::vector<std::filesystem::path> files_;
  std::exception_ptr error_;

  std::thread thread_;  // the last member: it uses the others
};

}  // namespace fovea
