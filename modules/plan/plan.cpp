#include "modules/plan/plan.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>

#include "modules/core/room.hpp"
#include "modules/core/threads.hpp"
#include "modules/plan/passes/passes.hpp"
#include "modules/plan/plan_state.hpp"

namespace fovea::plan {
namespace {

// Takes a Run from the plan and gives it back, also when a step throws.
class Borrowed {
 public:
  explicit Borrowed(Plan::State& state) : state_(state), run_(state.take()) {}
  ~Borrowed() {
    run_->end();
    state_.give(std::move(run_));
  }
  Borrowed(const Borrowed&) = delete;
  Run& operator*() const { return *run_; }

 private:
  Plan::State& state_;
  std::unique_ptr<Run> run_;
};

// A result in memory that outlives the run: a copy, unless it is the tensor of an eager op.
Tensor taken(const Run& run, const BufferRef& buffer) {
  Tensor t = run.tensor(buffer);
  if (buffer.type == DType::bf16) return t.to(DType::f32);
  const bool own = buffer.kind == BufferRef::Kind::eager && t.storage()->owned;
  return own ? t : t.clone();
}

std::atomic<bool> tunes = true;

}  // namespace

bool tuning() { return tunes; }
void set_tuning(bool on) { tunes = on; }

std::unique_ptr<Run> Plan::State::take() {
  {
    std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      auto run = std::move(free_.back());
      free_.pop_back();
      return run;
    }
  }
  std::vector<std::unique_ptr<dnn::PreparedConv::Call>> handles;
  for (const auto& c : calls) handles.push_back(c->call());
  return std::make_unique<Run>(memory.arena, eager_slots, std::move(handles));
}

void Plan::State::give(std::unique_ptr<Run> run) {
  std::lock_guard lock(mutex_);
  try {
    free_.push_back(std::move(run));
  } catch (const std::bad_alloc&) {}  // called by a destructor; the next run makes its own
}

Plan::Result Plan::run(const Tensors& inputs, std::vector<double>* seconds) const {
  State& s = *state_;
  check(inputs.size() == s.inputs.size(), "plan: expected ", s.inputs.size(), " inputs, got ", inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i)
    check(inputs[i].shape() == s.inputs[i] && is_floating(inputs[i].dtype()), "plan: input ", i, ": expected ", s.inputs[i],
          " of floating numbers, got ", inputs[i].shape(), " of ", name_of(inputs[i].dtype()));
  const ThreadScope thread_scope(s.threads);
  check(fovea::threads() == s.threads, "plan: made for ", s.threads,
        " threads, and a process made by fork() computes on one: compile the plan again in this process");
  memory::check_room();  // oneDNN makes some kernels at their first run
  const Borrowed borrowed(s);
  Run& run = *borrowed;
  run.begin(inputs, s.constants.current());
  if (seconds) seconds->clear();
  Result result{Tensors(s.outputs.size()), {}};
  for (const State::Named& t : s.taps) result.taps.push_back({t.name, {}});
  for (const State::Entry& e : s.entries) {
    const auto start = std::chrono::steady_clock::now();
    e.step->run(run);
    run.clear_temporaries();
    for (const State::Copy& c : e.copies)
      (c.tap ? result.taps[c.index].value : result.outputs[c.index]) =
          taken(run, c.tap ? s.taps[c.index].buffer : s.outputs[c.index]);
    for (const std::size_t slot : e.released) run.release(slot);
    if (seconds) seconds->push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  for (std::size_t i = 0; i < s.outputs.size(); ++i)
    if (!result.outputs[i].defined()) result.outputs[i] = taken(run, s.outputs[i]);
  for (std::size_t i = 0; i < s.taps.size(); ++i)
    if (!result.taps[i].value.defined()) result.taps[i].value = taken(run, s.taps[i].buffer);
  return result;
}

const std::vector<Plan::StepInfo>& Plan::steps() const& { return state_->infos; }

Plan::Memory Plan::memory() const {
  Memory m = state_->memory;
  m.constants = state_->constants.bytes();
  return m;
}

bool Plan::lowered() const {
  return std::none_of(state_->infos.begin(), state_->infos.end(), [](const StepInfo& i) { return i.how == kEagerOp; });
}

int Plan::threads() const { return state_->threads; }

void Plan::release_parameters() { state_->constants.release_parameters(); }

Plan compile(const std::function<Vars(const Vars&)>& forward, const Shapes& inputs, const Options& options) {
  check(options.precision == DType::f32 || options.precision == DType::bf16, "plan: expected precision f32 or bf16, got ",
        name_of(options.precision));
  if (options.precision == DType::bf16) parse_precision("bf16");  // refuses where the processor cannot
  const ThreadScope thread_scope(options.threads);
  Graph g = import_trace(forward, inputs, options);
  drop_dead(g);
  fold_constants(g);
  lower(g);
  drop_dead(g);
  fold_norms(g);
  sink_reshapes(g);
  fuse_reductions(g);
  fuse_convolutions(g);
  split_transposed(g);
  fold_transposes(g);
  fuse_elementwise(g);
  rematerialize_gates(g);
  fuse_elementwise(g);
  drop_dead(g);
  if (options.precision == DType::bf16) assign_precision(g);
  choose_algorithms(g, options.tune);
  return Plan(emit(g, options));
}

}  // namespace fovea::plan
