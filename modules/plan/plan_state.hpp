// The implementation of Plan.
#pragma once

#include <mutex>

#include "modules/plan/constants.hpp"
#include "modules/plan/plan.hpp"
#include "modules/plan/step.hpp"

namespace fovea::plan {

struct Plan::State {
  struct Copy {
    bool tap;  // else an output
    std::size_t index;
  };
  struct Entry {
    std::unique_ptr<Step> step;
    std::vector<std::size_t> released;  // slots of eager values that no later step reads
    std::vector<Copy> copies = {};      // of results to take out of the arena now, since later steps may write over them
  };
  struct Named {
    std::string name;
    BufferRef buffer;
  };

  State(const Graph& g, std::shared_ptr<SharedConstants> shared) : constants(g, std::move(shared)) {}

  Shapes inputs;
  std::vector<Entry> entries;
  std::vector<StepInfo> infos;  // one for each entry
  std::vector<BufferRef> outputs;
  std::vector<Named> taps;
  Memory memory;
  Constants constants;
  int threads = 1;
  std::size_t eager_slots = 0;
  std::vector<std::shared_ptr<const dnn::PreparedConv>> calls;  // each Run has one Call for each

  // A Run that nobody uses, or a new one; give() takes it back. Any thread.
  std::unique_ptr<Run> take();
  void give(std::unique_ptr<Run> run);

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Run>> free_;
};

// Chooses kernels, plans the memory and turns each node of the graph into a step. Runs after all passes.
std::shared_ptr<Plan::State> emit(const Graph& g, const Options& options);

}  // namespace fovea::plan
