// A compiled network: the same function as its eager forward, for fixed input shapes, as a list of fused steps over one arena.
//
//   Plan plan = compile([&](const Vars& in) { return Vars{network(in[0])}; }, {{1, 3, 224, 224}}, {.keep = "**.spatial"});
//   Plan::Result r = plan.run({x});     // r.outputs; r.taps: the maps that `keep` asked for
//
// Inference only. Weights are folded and laid out once; a plan looks at the versions of the parameters (Storage::version) before
// each run and makes its own copies anew when one has changed in place. Copies of a Plan share everything; several threads may run one
// at a time, each with an arena of its own. The result of a plan is bit for bit the same on every run, and where nothing is tuned for
// every number of threads.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "modules/autograd/var.hpp"

namespace fovea::plan {

class SharedConstants;

// Whether plans are tuned unless their options say otherwise; for the whole process, true at first. Any thread.
bool tuning();
void set_tuning(bool on);

struct Options {
  std::string keep = {};                   // glob of taps that become outputs; empty: none
  std::map<std::string, Shape> feeds = {};  // taps that become inputs: behind the others, in the order of their names
  int threads = 0;                         // that one run uses; 0: as many as the thread that compiles
  DType precision = DType::f32;            // or bf16: maps and weights in bf16, statistics and gates in f32; results are f32
  std::shared_ptr<SharedConstants> shared = {};  // between the plans of one network; none: nothing is
  // Measures which way to compute a convolution is the fastest here, once for each shape (tuning.hpp says where that is remembered).
  // Different ways round differently: untuned, a network's result is the same bits for every number of threads.
  bool tune = tuning();
};

class Plan {
 public:
  struct Tap {
    std::string name;
    Tensor value;
  };
  struct Result {
    Tensors outputs;  // in memory of their own
    std::vector<Tap> taps;
  };
  // What one step is, for people.
  struct StepInfo {
    std::string path, how;  // of the module; the kernel that runs it: oneDNN's name, or one of ours (`fovea plan` explains them)
    std::vector<std::string> ops;  // that are fused into it, in order
    Shape output;
    DType type = DType::f32;  // of the output
    std::int64_t multiply_adds = 0;
    std::size_t bytes = 0;  // of what it reads and writes, constants included
  };
  struct Memory {
    std::size_t arena = 0, without_sharing = 0;  // bytes; of one buffer for every value
    std::size_t constants = 0;                   // weights as the steps want them, parameters that are used as they are apart
  };

  // Shapes as compiled for; any floating type and layout, channels-last f32 without a copy. Error for others. `seconds`, where given,
  // becomes the time of each of steps(), wall clock. The first run after compiling or after a change of weights lays these out: it is slower.
  Result run(const Tensors& inputs, std::vector<double>* seconds = nullptr) const;

  const std::vector<StepInfo>& steps() const&;
  const std::vector<StepInfo>& steps() const&& = delete;  // of a plan that is gone with the expression
  Memory memory() const;
  bool lowered() const;  // whether every step is; else some run an op's own forward, which allocates
  int threads() const;
  // Forgets the parameters, whose memory may go then: changes of them are not followed from here on.
  void let_go();

  struct State;
  explicit Plan(std::shared_ptr<State> state) : state_(std::move(state)) {}

 private:
  std::shared_ptr<State> state_;
};

// Traces `forward` once, on shapes alone, in the mode that the thread is in (so not while training). Error where its control flow
// depends on values.
Plan compile(const std::function<Vars(const Vars&)>& forward, const Shapes& inputs, const Options& options = {});

}  // namespace fovea::plan
