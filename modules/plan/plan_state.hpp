// What a Plan holds.
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
    std::vector<std::size_t> last_reads;  // held values that nobody reads behind it
    std::vector<Copy> copies = {};        // of arena values that are kept: they are there now, and may be written over later
  };
  struct Named {
    std::string name;
    Place place;
  };

  State(const Mutable& g, std::shared_ptr<SharedConstants> shared) : constants(g, std::move(shared)) {}

  Shapes inputs;
  std::vector<Entry> entries;
  std::vector<StepInfo> infos;
  std::vector<Place> outputs;
  std::vector<Named> taps;
  Memory memory;
  Constants constants;
  int threads = 1;
  std::size_t held = 0;
  std::vector<std::shared_ptr<const dnn::PreparedConv>> calls;  // one handle each for every run at a time

  std::unique_ptr<Run> take();
  void give(std::unique_ptr<Run> run);

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Run>> free_;
};

// Turns the graph, after its passes, into steps and positions.
std::shared_ptr<Plan::State> emit(const Mutable& g, const Options& options);

}  // namespace fovea::plan
