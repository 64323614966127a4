// What failed for a reason that passes (out of memory beside other pictures, a network disk that was away) is put through the stages once more
// when the others are done: a few inputs, each alone and after a moment.
#pragma once

#include <string>
#include <vector>

#include "pipeline/runner.hpp"

namespace fovea {

class SecondTry {
 public:
  struct Failed {
    std::string source, reason;
    std::size_t index = 0;
  };

  // Of a frame whose error is passing: what it began as, and why it failed.
  void note(const Frame& frame);
  // Gives what has failed all the same, and what was too much to try. `sink` gets the frames that did not.
  std::vector<Failed> run(Runner& runner, const Runner::Sink& sink);

 private:
  struct Kept {
    Frame frame;
    std::string reason;
  };
  std::vector<Kept> kept_;
};

}  // namespace fovea
