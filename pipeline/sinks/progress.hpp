// How a run tells people (or programs) where it stands.
#pragma once

#include <memory>
#include <string>

#include "modules/core/text.hpp"
#include "pipeline/frame.hpp"

namespace fovea {

// Calls come from one thread at a time.
class Progress {
 public:
  virtual ~Progress() = default;
  virtual void warn(const std::string& text) = 0;
  virtual void start(std::size_t total) = 0;
  virtual void up_to_date(const std::string& source) = 0;  // done in a former run
  virtual void done(const Frame& frame) = 0;
  virtual void quarantined(const std::string& source, const std::string& reason) = 0;
  virtual void skipped(const std::string& source, const std::string& reason) = 0;  // not among the total
  virtual void left(const std::string& source, const std::string& reason) = 0;  // for next time: the machine failed, not the file
  virtual void note(const std::string& /*source*/, const std::string& /*text*/) {}  // of a file that is done
  virtual void advance(const std::string& /*source*/, double /*share*/) {}          // 0..1 of one input that takes long
  virtual void stop() = 0;
};

enum class ProgressKind { automatic, quiet, json };

// automatic: a bar on standard error where that is a terminal, else a line every few seconds and one for each quarantined file.
// quiet: nothing. json: one object a line on standard output.
std::unique_ptr<Progress> make_progress(ProgressKind kind);

// "3:07", "1:02:45"
std::string clock_text(double seconds);

}  // namespace fovea
