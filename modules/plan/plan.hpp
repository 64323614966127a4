// A compiled network: the same function as its eager forward, for fixed input shapes, as a list of fused steps over one arena.
//
//   Plan plan = compile([&](const Vars& in) { return Vars{network(in[0])}; }, {{1, 3, 224, 224}}, {.keep = "**.spatial"});
//   Plan::Result r = plan.run({x});     // r.outputs; r.taps: the maps that `keep` asked for
//
// Inference only. Weights are folded and reordered once; before each run a plan compares the versions of the parameters
// (Storage::version) and makes its copies again when one has been written. Copies of a Plan share everything. Several threads may run
// one Plan at the same time, each with an arena of its own. A plan gives the same bits on every run; an untuned one (Options::tune) also
// for every number of threads.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "modules/autograd/var.hpp"

namespace fovea::plan {

class SharedConstants;

// The default of Options::tune for the whole process, true unless set. Any thread.
bool tuning();
void set_tuning(bool on);

struct Options {
  std::string keep = {};                    // glob of taps that become outputs; empty: none
  std::map<std::string, Shape> feeds = {};  // taps that become inputs, after `inputs` and in the order of their names
  int threads = 0;                          // of one run; 0: as many as the calling thread is set to
  DType precision = DType::f32;             // or bf16: maps and weights in bf16, statistics and gates in f32; results are f32
  std::shared_ptr<SharedConstants> shared = {};  // weights that several plans of one network share; null: none
  // Measures which algorithm computes each convolution fastest here, once for each shape; tuning.hpp says where the choices are kept.
  // Algorithms round differently, and the choice may differ from one number of threads to another.
  bool tune = tuning();
};

class Plan {
 public:
  struct Tap {
    std::string name;
    Tensor value;
  };
  struct Result {
    Tensors outputs;  // f32, in memory of their own
    std::vector<Tap> taps;
  };
  // A description of one step, for people.
  struct StepInfo {
    std::string path;  // of the module that the step came from
    std::string how;   // the kernel: oneDNN's implementation name (it has a ':') or one of Fovea's, as in "winograd 4x4"
    std::vector<std::string> ops;  // fused into the step, in their order
    Shape output;
    DType type = DType::f32;  // of the output
    std::int64_t multiply_adds = 0;
    std::size_t bytes = 0;  // read and written, constants included
  };
  struct Memory {                     // bytes
    std::size_t arena = 0;            // of one run
    std::size_t without_sharing = 0;  // of a buffer for each value instead
    std::size_t constants = 0;        // of folded and reordered weights; parameters that are read where they lie do not count
  };

  // inputs: of the shapes that were compiled for, of any floating type and layout; channels-last f32 is read without a copy. Error for
  // others. `seconds`, unless null, becomes the wall-clock time of each of steps(). The first run after compiling or after a change of
  // weights reorders these and takes longer.
  Result run(const Tensors& inputs, std::vector<double>* seconds = nullptr) const;

  const std::vector<StepInfo>& steps() const&;
  const std::vector<StepInfo>& steps() const&& = delete;  // a temporary Plan would leave a dangling reference
  Memory memory() const;
  bool lowered() const;  // whether no step runs an op's own forward, which allocates
  int threads() const;
  // Drops the references to the parameters, so that their memory can be freed. Later changes of them have no effect on the plan.
  void release_parameters();

  struct State;
  explicit Plan(std::shared_ptr<State> state) : state_(std::move(state)) {}

 private:
  std::shared_ptr<State> state_;
};

// Traces `forward` once, on shapes alone, runs the passes (passes/passes.hpp) and emits the steps. Not while training: layers would be
// traced as they train. Error where an op draws or changes a parameter, where the control flow of `forward` depends on values, and for a
// precision that is neither f32 nor bf16 or that the processor does not support.
Plan compile(const std::function<Vars(const Vars&)>& forward, const Shapes& inputs, const Options& options = {});

}  // namespace fovea::plan
