// One JSON object a frame and line, for programs: {"frame", "seconds", "age_ms", "objects", "events"}, and what else the task says of it.
#pragma once

#include <atomic>
#include <string>

#include "modules/io/descriptor.hpp"
#include "pipeline/live/live_view.hpp"

namespace fovea {

class EventLog final : public LiveView {
 public:
  // A file, which is made anew, a pipe, or "-" for standard output. Lines are out when show() returns. `stop` ends the wait for the reader of a
  // pipe, and outlives this. FileError where it cannot be written.
  EventLog(const std::string& file, const std::atomic<bool>& stop);

  // EnvironmentError: the disk is full, the pipe is read no more; the lines before are whole.
  void show(const SeenFrame& seen) override;

 private:
  void write(const std::string& line);
  bool wait_for_reader() const;
  [[noreturn]] void cannot_write(int error);

  const std::string name_;
  const std::atomic<bool>& stop_;
  Descriptor own_;  // none for standard output
  int descriptor_ = -1;
  bool regular_ = false;      // a file, in which half a line can be taken back
  std::int64_t written_ = 0;  // bytes of whole lines
};

}  // namespace fovea
