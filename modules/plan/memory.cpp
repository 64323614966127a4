#include "modules/plan/memory.hpp"

#include <algorithm>
#include <numeric>

namespace fovea::plan {
namespace {

constexpr std::size_t kAlign = 64;

std::size_t rounded(std::size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

// The smallest gap between blocks that are alive with `b` and have their place; behind all of them where there is none.
std::size_t best_gap(const Block& b, const std::vector<const Block*>& placed) {
  std::vector<const Block*> near;
  for (const Block* o : placed)
    if (o->first <= b.last && b.first <= o->last && o->bytes > 0) near.push_back(o);
  std::sort(near.begin(), near.end(), [](const Block* x, const Block* y) { return x->offset < y->offset; });
  std::size_t end = 0, best = 0, gap = static_cast<std::size_t>(-1);
  for (const Block* o : near) {
    if (o->offset >= end + b.bytes && o->offset - end < gap) gap = o->offset - end, best = end;
    end = std::max(end, o->offset + rounded(o->bytes));
  }
  return gap == static_cast<std::size_t>(-1) ? end : best;
}

std::size_t bytes_of(const Value& v) { return static_cast<std::size_t>(v.shape.elements()) * size_of(v.type); }

}  // namespace

std::size_t place(std::vector<Block>& blocks) {
  std::vector<std::size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return blocks[a].bytes > blocks[b].bytes; });
  std::vector<const Block*> placed;
  std::size_t size = 0;
  for (const std::size_t i : order) {
    blocks[i].offset = best_gap(blocks[i], placed);
    placed.push_back(&blocks[i]);
    size = std::max(size, blocks[i].offset + rounded(blocks[i].bytes));
  }
  return size;
}

Lifetimes::Lifetimes(const Mutable& g, const std::function<bool(const Node&)>& in_place)
    : blocks_(g.values.size(), -1), offsets_(g.values.size()), borrowed_(g.values.size()) {
  make_blocks(g);
  make_parts(g);
  extend(g);
  overwrite(g, in_place);
}

// A view shares the block of what it views. What an op's own forward made lies in memory of its own, or is a view of its inputs: these
// must live as long as it does.
void Lifetimes::make_blocks(const Mutable& g) {
  for (std::size_t step = 0; step < g.nodes.size(); ++step) {
    const Node& n = g.nodes[step];
    if (const auto* view = std::get_if<View>(&n.work)) {
      blocks_[static_cast<std::size_t>(n.outputs[0])] = block(n.inputs[0]);
      offsets_[static_cast<std::size_t>(n.outputs[0])] =
          offset(n.inputs[0]) + static_cast<std::size_t>(view->offset) * size_of(g.value(n.outputs[0]).type);
      continue;
    }
    for (const Id out : n.outputs) {
      if (out < 0) continue;
      if (std::holds_alternative<Eager>(n.work)) {
        for (const Id in : n.inputs) {
          if (in < 0) continue;
          auto& mine = borrowed_[static_cast<std::size_t>(out)];
          const auto& theirs = borrowed_[static_cast<std::size_t>(in)];
          mine.insert(mine.end(), theirs.begin(), theirs.end());
          if (block(in) >= 0) mine.push_back(in);
        }
        continue;
      }
      blocks_[static_cast<std::size_t>(out)] = static_cast<int>(list_.size());
      list_.push_back({bytes_of(g.value(out)), static_cast<int>(step), static_cast<int>(step)});
      naive_ += list_.back().bytes;
    }
  }
}

bool Lifetimes::alone(const Mutable& g, Id id) const {
  return list_[static_cast<std::size_t>(block(id))].bytes == bytes_of(g.value(id));
}

// What is put behind one another where each part keeps its order in memory is written there at once, by those who make the parts.
void Lifetimes::make_parts(const Mutable& g) {
  for (const Node& n : g.nodes) {
    const auto* copy = std::get_if<Copy>(&n.work);
    if (!copy || copy->pieces.size() < 2) continue;
    for (const Copy::Piece& p : copy->pieces)
      if (can_be_part(g, n, p))
        move(block(n.inputs[p.input]), block(n.outputs[0]), static_cast<std::size_t>(p.move.to) * sizeof(float));
  }
}

bool Lifetimes::can_be_part(const Mutable& g, const Node& n, const Copy::Piece& piece) const {
  const Id id = n.inputs[piece.input];
  if (id < 0 || block(id) < 0 || block(id) == block(n.outputs[0]) || !alone(g, id)) return false;
  return piece.move.straight() && piece.move.from == 0 && piece.move.elements() == g.shape(id).elements() && offset(id) == 0 &&
         !g.value(n.outputs[0]).constant;
}

void Lifetimes::move(int from, int to, std::size_t offset) {
  Block &part = list_[static_cast<std::size_t>(from)], &whole = list_[static_cast<std::size_t>(to)];
  whole.first = std::min(whole.first, part.first), whole.last = std::max(whole.last, part.last);
  part.bytes = 0;
  for (std::size_t id = 0; id < blocks_.size(); ++id)
    if (blocks_[id] == from) blocks_[id] = to, offsets_[id] += offset;
}

void Lifetimes::extend(const Mutable& g) {
  const auto reaches = [&](Id id, int step) {
    if (block(id) >= 0)
      list_[static_cast<std::size_t>(block(id))].last = std::max(list_[static_cast<std::size_t>(block(id))].last, step);
  };
  const auto read = [&](Id id, int step) {
    if (id < 0) return;
    reaches(id, step);
    for (const Id from : borrowed_[static_cast<std::size_t>(id)]) reaches(from, step);
  };
  for (std::size_t step = 0; step < g.nodes.size(); ++step)
    for (const Id id : g.nodes[step].inputs) read(id, static_cast<int>(step));
  // What is kept is copied out as soon as it is there; what an op's own forward made is handed out at the end, perhaps as a view.
  for (std::size_t id = 0; id < g.values.size(); ++id)
    if (g.values[id].kept)
      for (const Id from : borrowed_[id]) reaches(from, static_cast<int>(g.nodes.size()));
}

bool Lifetimes::dies(const Mutable& g, const Node& n, int step, Id id) const {
  if (id < 0 || block(id) < 0 || bytes_of(g.value(id)) != bytes_of(g.value(n.outputs[0]))) return false;
  const auto other = [&](Id i) { return i >= 0 && i != id && block(i) == block(id); };
  return list_[static_cast<std::size_t>(block(id))].last == step && std::none_of(n.inputs.begin(), n.inputs.end(), other);
}

// A chain writes over its value, a convolution over its residual, where nobody needs that any more: not the node itself a second time
// either, unless it is a chain that has read everything when it writes.
void Lifetimes::overwrite(const Mutable& g, const std::function<bool(const Node&)>& in_place) {
  for (std::size_t step = 0; step < g.nodes.size(); ++step) {
    const Node& n = g.nodes[step];
    Id target = -1;
    if (std::holds_alternative<Sweep>(n.work)) target = n.inputs[0];
    if (std::holds_alternative<Convolve>(n.work)) target = n.inputs[3];
    if (!dies(g, n, static_cast<int>(step), target)) continue;
    const bool once = std::count(n.inputs.begin(), n.inputs.end(), target) == 1;
    if (std::holds_alternative<Sweep>(n.work) ? once || in_place(n) : once && in_place(n)) join(g, n, target);
  }
}

void Lifetimes::join(const Mutable& g, const Node& n, Id id) {
  if (alone(g, n.outputs[0])) move(block(n.outputs[0]), block(id), offset(id));
}

bool Lifetimes::over(const Node& n, Id id) const {
  return id >= 0 && block(id) >= 0 && block(id) == block(n.outputs[0]) && offset(id) == offset(n.outputs[0]);
}

}  // namespace fovea::plan
