#include "modules/plan/memory.hpp"

#include <algorithm>
#include <numeric>

namespace fovea::plan {
namespace {

constexpr std::size_t kAlign = 64;

std::size_t rounded(std::size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

// Offset of the smallest gap between those of `placed` that are in use at the same time as `b`; after all of them where there is no gap.
std::size_t best_gap(const Allocation& b, const std::vector<const Allocation*>& placed) {
  std::vector<const Allocation*> near;
  for (const Allocation* o : placed)
    if (o->first <= b.last && b.first <= o->last && o->bytes > 0) near.push_back(o);
  std::sort(near.begin(), near.end(), [](const Allocation* x, const Allocation* y) { return x->offset < y->offset; });
  std::size_t end = 0, best = 0, gap = static_cast<std::size_t>(-1);
  for (const Allocation* o : near) {
    if (o->offset >= end + b.bytes && o->offset - end < gap) gap = o->offset - end, best = end;
    end = std::max(end, o->offset + rounded(o->bytes));
  }
  return gap == static_cast<std::size_t>(-1) ? end : best;
}

std::size_t bytes_of(const Value& v) { return static_cast<std::size_t>(v.shape.elements()) * size_of(v.type); }

}  // namespace

std::size_t assign_offsets(std::vector<Allocation>& allocations) {
  std::vector<std::size_t> order(allocations.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return allocations[a].bytes > allocations[b].bytes; });
  std::vector<const Allocation*> placed;
  std::size_t size = 0;
  for (const std::size_t i : order) {
    allocations[i].offset = best_gap(allocations[i], placed);
    placed.push_back(&allocations[i]);
    size = std::max(size, allocations[i].offset + rounded(allocations[i].bytes));
  }
  return size;
}

Lifetimes::Lifetimes(const Graph& g) : allocations_(g.values.size(), -1), offsets_(g.values.size()), borrowed_(g.values.size()) {
  allocate(g);
  place_parts(g);
  extend(g);
  overwrite_inputs(g);
}

// A view shares the allocation of its input. What an op's own forward makes is outside the arena, or a view of the op's inputs: these stay
// in use as long as it is.
void Lifetimes::allocate(const Graph& g) {
  for (std::size_t step = 0; step < g.nodes.size(); ++step) {
    const Node& n = g.nodes[step];
    if (const auto first = n.view_offset()) {
      allocations_[static_cast<std::size_t>(n.outputs[0])] = allocation(n.inputs[0]);
      offsets_[static_cast<std::size_t>(n.outputs[0])] =
          offset(n.inputs[0]) + static_cast<std::size_t>(*first) * size_of(g.value(n.outputs[0]).type);
      continue;
    }
    for (const Id out : n.outputs) {
      if (out < 0) continue;
      if (n.allocates()) {
        for (const Id in : n.inputs) {
          if (in < 0) continue;
          auto& mine = borrowed_[static_cast<std::size_t>(out)];
          const auto& theirs = borrowed_[static_cast<std::size_t>(in)];
          mine.insert(mine.end(), theirs.begin(), theirs.end());
          if (allocation(in) >= 0) mine.push_back(in);
        }
        continue;
      }
      allocations_[static_cast<std::size_t>(out)] = static_cast<int>(list_.size());
      list_.push_back({bytes_of(g.value(out)), static_cast<int>(step), static_cast<int>(step)});
      naive_ += list_.back().bytes;
    }
  }
}

bool Lifetimes::fills_allocation(const Graph& g, Id id) const {
  return list_[static_cast<std::size_t>(allocation(id))].bytes == bytes_of(g.value(id));
}

// Where a concatenation keeps the order of a part in memory, the node that makes the part writes it into the whole at once.
void Lifetimes::place_parts(const Graph& g) {
  for (const Node& n : g.nodes) {
    const auto* copy = std::get_if<Copy>(&n.work);
    if (!copy || copy->pieces.size() < 2) continue;
    for (const Copy::Piece& p : copy->pieces)
      if (can_be_part(g, n, p))
        merge(allocation(n.inputs[p.input]), allocation(n.outputs[0]), static_cast<std::size_t>(p.copy.to) * sizeof(float));
  }
}

bool Lifetimes::can_be_part(const Graph& g, const Node& n, const Copy::Piece& piece) const {
  const Id id = n.inputs[piece.input];
  if (id < 0 || allocation(id) < 0 || allocation(id) == allocation(n.outputs[0]) || !fills_allocation(g, id)) return false;
  return piece.copy.contiguous() && piece.copy.from == 0 && piece.copy.elements() == g.shape(id).elements() && offset(id) == 0 &&
         !g.value(n.outputs[0]).constant;
}

void Lifetimes::merge(int from, int to, std::size_t offset) {
  Allocation &part = list_[static_cast<std::size_t>(from)], &whole = list_[static_cast<std::size_t>(to)];
  whole.first = std::min(whole.first, part.first), whole.last = std::max(whole.last, part.last);
  part.bytes = 0;
  for (std::size_t id = 0; id < allocations_.size(); ++id)
    if (allocations_[id] == from) allocations_[id] = to, offsets_[id] += offset;
}

void Lifetimes::extend(const Graph& g) {
  const auto reaches = [&](Id id, int step) {
    if (allocation(id) >= 0)
      list_[static_cast<std::size_t>(allocation(id))].last = std::max(list_[static_cast<std::size_t>(allocation(id))].last, step);
  };
  const auto read = [&](Id id, int step) {
    if (id < 0) return;
    reaches(id, step);
    for (const Id from : borrowed_[static_cast<std::size_t>(id)]) reaches(from, step);
  };
  for (std::size_t step = 0; step < g.nodes.size(); ++step)
    for (const Id id : g.nodes[step].inputs) read(id, static_cast<int>(step));
  // A kept value in the arena is copied out as soon as it is computed; what an op's own forward made is returned at the end, maybe as a view.
  for (std::size_t id = 0; id < g.values.size(); ++id)
    if (g.values[id].kept)
      for (const Id from : borrowed_[id]) reaches(from, static_cast<int>(g.nodes.size()));
}

bool Lifetimes::dies(const Graph& g, const Node& n, int step, Id id) const {
  if (id < 0 || allocation(id) < 0 || bytes_of(g.value(id)) != bytes_of(g.value(n.outputs[0]))) return false;
  const auto other = [&](Id i) { return i >= 0 && i != id && allocation(i) == allocation(id); };
  return list_[static_cast<std::size_t>(allocation(id))].last == step && std::none_of(n.inputs.begin(), n.inputs.end(), other);
}

// A node writes its output over an input that no later step reads, where its kernel can do that.
void Lifetimes::overwrite_inputs(const Graph& g) {
  for (std::size_t step = 0; step < g.nodes.size(); ++step) {
    const Node& n = g.nodes[step];
    const Id target = n.in_place_input();
    if (!dies(g, n, static_cast<int>(step), target) || !n.can_run_in_place(g)) continue;
    if (fills_allocation(g, n.outputs[0])) merge(allocation(n.outputs[0]), allocation(target), offset(target));
  }
}

bool Lifetimes::overwrites(const Node& n, Id id) const {
  return id >= 0 && allocation(id) >= 0 && allocation(id) == allocation(n.outputs[0]) && offset(id) == offset(n.outputs[0]);
}

}  // namespace fovea::plan
