// Auto-tuning: measures several ways to compute the same thing and remembers the fastest, in the process and in the file "tuning.json" in
// $FOVEA_CACHE, else $XDG_CACHE_HOME/fovea, else ~/.cache/fovea. Choices are kept apart by processor model, number of processors and the
// versions of Fovea and oneDNN. A choice that was measured while other work disturbed it is measured again by the next processes, up to three
// times. Where the file cannot be read or written, the only consequence is that each process measures again; of a damaged one, warn() tells.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace fovea::plan {

struct Trial {
  std::function<void()> before;  // runs before each timed run; may be empty
  std::function<void()> run;
};
struct Candidate {
  std::string name;
  std::function<Trial()> make;  // called only to measure
  double handicap = 1;          // factor on its time, at least 1: it must be faster by that much to be chosen
};

// The name of the fastest candidate: as remembered for `key`, else measured, which takes about 20 ms for each. `candidates` must not be
// empty. Any thread.
std::string fastest(const std::string& key, const std::vector<Candidate>& candidates);

// Drops the choices of this process, so that the file is read again. For tests.
void forget_tuning();

}  // namespace fovea::plan
