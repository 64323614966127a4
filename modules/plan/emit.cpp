#include "modules/plan/emit.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "modules/core/threads.hpp"

namespace fovea::plan {

Emitter::Emitter(const Graph& g, const Options& options)
    : g_(g),
      life_(g),
      allocations_(life_.list()),
      state_(std::make_shared<Plan::State>(g, options.shared ? options.shared : std::make_shared<SharedConstants>())),
      eager_slots_(g.values.size()) {}

std::shared_ptr<Plan::State> Emitter::run() {
  workspaces_ = allocations_.size();
  for (std::size_t i = 0; i < g_.nodes.size(); ++i) {
    const Node& n = g_.nodes[i];
    allocations_.push_back({n.workspace_bytes(g_, in_place(n)), static_cast<int>(i), static_cast<int>(i)});
  }
  state_->memory = {assign_offsets(allocations_), life_.bytes_without_sharing(), 0};
  for (const Node& n : g_.nodes)
    if (n.allocates())
      for (const Id id : n.outputs) eager_slots_[static_cast<std::size_t>(id)] = ++state_->eager_slots;
  for (std::size_t i = 0; i < g_.nodes.size(); ++i) add(g_.nodes[i], i);
  for (const Id id : g_.inputs) state_->inputs.push_back(g_.shape(id));
  for (const Id id : g_.outputs) state_->outputs.push_back(kept(id, {false, state_->outputs.size()}));
  for (const Kept& k : g_.taps) state_->taps.push_back({k.name, kept(k.value, {true, state_->taps.size()})});
  release_eager();
  state_->threads = threads();
  state_->constants.freeze();
  return std::move(state_);
}

BufferRef Emitter::at(Id id) {
  if (id < 0) return {};
  BufferRef b{BufferRef::Kind::arena, 0, g_.shape(id), g_.value(id).type, 0, g_.value(id).row_major};
  const auto [from, offset] = root(id);
  const auto input = std::find(g_.inputs.begin(), g_.inputs.end(), from);
  if (g_.constant(id)) b.kind = BufferRef::Kind::constant, b.at = state_->constants.want(id);
  else if (input != g_.inputs.end())
    b.kind = BufferRef::Kind::input, b.at = static_cast<std::size_t>(input - g_.inputs.begin()), b.offset = offset;
  else if (life_.allocation(id) >= 0)
    b.at = allocations_[static_cast<std::size_t>(life_.allocation(id))].offset + life_.offset(id);
  else b.kind = BufferRef::Kind::eager, b.at = eager_slots_[static_cast<std::size_t>(id)] - 1;
  return b;
}

std::vector<BufferRef> Emitter::at(const std::vector<Id>& ids) {
  std::vector<BufferRef> all;
  for (const Id id : ids) all.push_back(at(id));
  return all;
}

// The value below all views, and the first element of the view.
std::pair<Id, std::int64_t> Emitter::root(Id id) const {
  std::int64_t offset = 0;
  for (auto n = g_.nodes.rbegin(); n != g_.nodes.rend(); ++n)
    if (const auto first = n->view_offset(); first && n->outputs[0] == id) id = n->inputs[0], offset += *first;
  return {id, offset};
}

BufferRef Emitter::operand(Id id, const Shape& full) {
  if (id < 0 || !g_.constant(id)) return at(id);
  const auto transform = [rank = full.rank()](const Tensor& t) {
    Shape padded;
    for (int i = t.rank(); i < rank; ++i) padded.push_back(1);
    for (const auto d : t.shape()) padded.push_back(d);
    return t.to(DType::f32).reshape(padded).contiguous(rank == 4 ? Layout::channels_last : Layout::row_major);
  };
  const std::size_t index = state_->constants.want(id, transform, fmt::format("operand{}", full.rank()));
  return {BufferRef::Kind::constant, index, g_.shape(id)};
}

BufferRef Emitter::constant(Id id, std::function<Tensor(const Tensor&)> transform, std::string key) {
  return {BufferRef::Kind::constant, state_->constants.want(id, std::move(transform), std::move(key)), Shape{}};
}

BufferRef Emitter::workspace() const { return {BufferRef::Kind::arena, allocations_[workspaces_ + current_].offset, Shape{}}; }

std::size_t Emitter::add_call(std::shared_ptr<const dnn::PreparedConv> conv) {
  state_->calls.push_back(std::move(conv));
  return state_->calls.size() - 1;
}

BufferRef Emitter::kept(Id id, Plan::State::Copy copy) {
  BufferRef b = at(id);
  if (b.kind == BufferRef::Kind::arena) state_->entries[made_at_.at(id)].copies.push_back(copy);
  return b;
}

void Emitter::add(const Node& n, std::size_t i) {
  current_ = i;
  auto step = std::visit([&](const auto& work) { return work.emit(n, *this); }, n.work);
  for (const Id id : n.inputs)
    if (eager(id)) last_[id] = state_->entries.size();
  for (const Id id : n.outputs) made_at_[id] = state_->entries.size() - (step ? 0 : 1);  // a view is computed with its input
  if (!step) return;
  for (const Id id : n.outputs)
    if (eager(id)) last_[id] = state_->entries.size();
  state_->infos.push_back(info(n, *step));
  state_->entries.push_back({std::move(step), {}});
}

Plan::StepInfo Emitter::info(const Node& n, const Step& step) const {
  Plan::StepInfo info{n.path, step.how(), n.op_names, {}, DType::f32, n.multiply_adds, 0};
  for (const auto* ids : {&n.inputs, &n.outputs})
    for (const Id id : *ids)
      if (id >= 0) info.bytes += static_cast<std::size_t>(g_.shape(id).elements()) * size_of(g_.value(id).type);
  for (const Id id : n.outputs)
    if (id >= 0) info.output = g_.shape(id), info.type = g_.value(id).type;
  return info;
}

void Emitter::release_eager() {
  for (const auto& [id, entry] : last_)
    if (!g_.value(id).kept) state_->entries[entry].released.push_back(eager_slots_[static_cast<std::size_t>(id)] - 1);
}

std::shared_ptr<Plan::State> emit(const Graph& g, const Options& options) { return Emitter(g, options).run(); }

}  // namespace fovea::plan
