// Choices that a measurement made on this machine: the fastest of several ways to compute the same thing. Remembered in the process
// and in a file, "tuning.json" in $FOVEA_CACHE, else $XDG_CACHE_HOME/fovea, else ~/.cache/fovea, for this processor and these
// versions of the library and of oneDNN. A file that cannot be read or written costs the measurement again, nothing else.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace fovea::plan {

struct Trial {
  std::function<void()> before;  // not timed, ahead of each run; may be empty
  std::function<void()> run;
};
struct Candidate {
  std::string name;
  std::function<Trial()> make;  // called where the choice is not known yet
  double handicap = 1;          // its time counts that many times
};

// The name of the candidate that is remembered for `key`, or else measured: some milliseconds for each of them. Any thread.
std::string fastest(const std::string& key, const std::vector<Candidate>& candidates);

// Forgets what the process knows; the file stays.
void forget_tuning();

}  // namespace fovea::plan
