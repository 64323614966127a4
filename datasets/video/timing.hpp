// Time stamps that only grow, whatever a file says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fovea {

class Timing {
 public:
  // In ticks: a second, and the usual time between frames. Both at least 1.
  Timing(std::int64_t second, std::int64_t step);

  // The stamp of the next frame: what the file says (none: it does not), moved where it must be. `duration`: of the frame; 0:
  // unknown.
  std::int64_t place(std::optional<std::int64_t> stamp, std::int64_t duration);
  std::vector<std::string> notes() const;

 private:
  std::int64_t second_, step_;
  std::optional<std::int64_t> last_;
  std::int64_t last_duration_ = 0, shift_ = 0;
  std::int64_t missing_ = 0, backwards_ = 0, restarts_ = 0;
};

}  // namespace fovea
