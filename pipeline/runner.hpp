// Runs a linear chain of stages over TBB with a bounded number of frames in flight: memory does not grow with the number of inputs.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/stage.hpp"

namespace fovea {

// How many frames load, process and save at once. Their sum bounds the frames in flight.
struct Jobs {
  int load = 1, process = 1, save = 1;
  int threads = 1;  // processors of each that process
  int total() const { return load + process + save; }
};

// "2:4:2". Error: not three numbers from 1 to 1024.
Jobs parse_jobs(const std::string& text);

// What the processors are shared out for. latency: one input at a time on all of them; throughput: one processor for each input (no
// waiting inside a network, more memory); automatic: throughput as far as there are inputs, a few of which share the processors.
enum class Hint : std::uint8_t { automatic, latency, throughput };

// "auto", "latency" or "throughput". Error for anything else.
Hint parse_hint(const std::string& text);

// Jobs for `threads` processors and `items` inputs. `asked` (from --jobs) wins, with as many processors each as the budget has.
Jobs plan_jobs(int threads, std::size_t items, Hint hint = Hint::automatic, const std::optional<Jobs>& asked = std::nullopt);

// A stage, how many threads may be inside it at once, and how many processors each of them uses.
struct StageSpec {
  std::unique_ptr<Stage> stage;
  int workers = 1;
  int threads = 1;
};

class Runner {
 public:
  using Source = std::function<std::optional<Frame>()>;  // nullopt: no more. Called by one thread at a time, in order.
  using Sink = std::function<void(Frame&)>;              // called by one thread at a time, in the order in which frames finish

  // Error when a stage needs what no stage before it gives.
  explicit Runner(std::vector<StageSpec> stages);

  // A stage's exception becomes the frame's error and the later stages leave that frame alone. An exception of the source
  // or the sink ends the run. `group` frames go through the stages together, for those that take several at once.
  void run(const Source& source, const Sink& sink, std::size_t group = 1);

 private:
  std::vector<StageSpec> stages_;
};

}  // namespace fovea
