#include "modules/plan/moves.hpp"

#include <algorithm>

#include "modules/plan/kernels/planes.hpp"

namespace fovea::plan {

Moves::Source Moves::source(Id id) const {
  const auto it = sources_.find(id);
  return it == sources_.end() ? Source{id, whole(id)} : it->second;
}

Strided Moves::whole(Id id) const { return Strided::of(g_.shape(id), g_.value(id).rows); }

// A view of a view is one of what that views; where it cannot be, the view between becomes dense first.
template <class Change>
bool Moves::change(Node& n, const Change& change) {
  const Id id = n.inputs[0];
  if (g_.constant(id) || !g_.value(id).known || g_.shape(id).elements() == 0 || g_.shape(n.outputs[0]).elements() == 0)
    return false;
  Source s = source(id);
  std::optional<Strided> view = change(s.view);
  if (!view) s.root = id, view = change(whole(id));
  if (!view) return false;
  write(n, {s.root, *view});
  return true;
}

void Moves::write(Node& n, const Source& s) {
  const Id out = n.outputs[0];
  Move move = to_dense(s, g_.shape(out), false);
  // What lies row by row as it is stays so: tokens seen as a map with the channels last.
  if (const Move by_rows = to_dense(s, g_.shape(out), true); !move.straight() && by_rows.straight())
    move = by_rows, g_.value(out).rows = true;
  write(n, s, move);
}

void Moves::write(Node& n, const Source& s, const Move& move) {
  n.inputs = {s.root};
  if (move.straight()) n.work = View{move.from};
  else n.work = Copy{{{0, move}}};
  sources_[n.outputs[0]] = s;
}

Move Moves::to_dense(const Source& s, const Shape& shape, bool rows) {
  Shape first;
  for (int i = 0; i < shape.rank(); ++i) first.push_back(0);
  return s.view.move(shape, first, rows);
}

bool Moves::lower(Node& n, const role::View&) {
  return change(n, [&](const Strided& s) { return s.reshaped(g_.shape(n.outputs[0])); });
}

bool Moves::lower(Node& n, const role::Permute& r) {
  return change(n, [&](const Strided& s) -> std::optional<Strided> {
    const auto split = r.split.rank() ? s.reshaped(r.split) : std::optional(s);
    if (!split) return std::nullopt;
    return split->permuted(r.order).reshaped(g_.shape(n.outputs[0]));
  });
}

bool Moves::lower(Node& n, const role::Slice& r) {
  const std::int64_t count = g_.shape(n.outputs[0])[r.axis];
  return change(n, [&](const Strided& s) { return s.sliced(r.axis, r.begin, count, r.step); });
}

bool Moves::lower(Node& n, const role::Expand&) {
  return change(n, [&](const Strided& s) { return std::optional(s.expanded(g_.shape(n.outputs[0]))); });
}

bool Moves::lower(Node& n, const role::Concat& r) {
  const Shape whole = g_.shape(n.outputs[0]);
  Shape to;
  for (int i = 0; i < whole.rank(); ++i) to.push_back(0);
  Copy copy;
  std::vector<Id> roots;
  for (const Id id : n.inputs) {
    if (!g_.value(id).known && !g_.constant(id)) return false;
    const Source s = source(id);
    if (g_.shape(id).elements() > 0) copy.pieces.push_back({roots.size(), s.view.move(whole, to)});
    roots.push_back(s.root);
    to[r.axis] += g_.shape(id)[r.axis];
  }
  if (whole.elements() == 0) return false;
  n.inputs = std::move(roots);
  n.work = std::move(copy);
  return true;
}

// The inputs of a computation that takes any strides are read where the views lead.
bool Moves::lower(Node& n, const role::Computation& r) {
  std::vector<role::Computation::Value> in, out;
  std::vector<Id> roots;
  Compute work{{}, {}, r.rows};
  bool rows = r.rows;
  for (const Id id : n.inputs) {
    if (id >= 0 && !g_.constant(id) && !g_.value(id).known) return false;
    Source s{id, id < 0 ? Strided() : whole(id)};
    if (r.any_strides && id >= 0 && source(id).view.strides()) s = source(id);
    if (!r.any_strides && id >= 0) rows |= g_.value(id).rows;
    if (r.rows && g_.constant(id) && id >= 0) s.view = Strided::of(g_.shape(id), true);
    in.push_back(id < 0 ? role::Computation::Value{} : role::Computation::Value{g_.shape(id), *s.view.strides()});
    roots.push_back(s.root), work.offsets.push_back(s.view.offset());
  }
  for (const Id id : n.outputs) {
    if (g_.shape(id).elements() == 0) return false;
    out.push_back({g_.shape(id), *Strided::of(g_.shape(id), rows).strides()});
  }
  auto bound = r.bind(in, out);
  if (!bound) return false;
  work.bound = std::move(*bound);
  n.inputs = std::move(roots), n.work = std::move(work);
  for (const Id id : n.outputs) g_.value(id).rows = rows && g_.shape(id).rank() == 4;
  return true;
}

bool Moves::few_planes(Node& n, Convolve& c) {
  const Id id = n.inputs[0];
  const Shape& x = g_.shape(id);
  if (n.inputs[3] >= 0 || !g_.value(id).known || !Planes::fits(c.options, x, g_.shape(n.inputs[1]))) return false;
  Source s = source(id);
  if (!s.view.strides()) s = {id, whole(id)};
  n.inputs[0] = s.root;
  c.planes = Convolve::FewPlanes{x, *s.view.strides(), s.view.offset()};
  return true;
}

Id Moves::dense(Id id, std::vector<Node>& nodes) { return id < 0 || !g_.value(id).rows ? id : reordered(id, false, nodes); }

Id Moves::by_rows(Id id, std::vector<Node>& nodes) {
  const bool other = id >= 0 && !g_.constant(id) && g_.value(id).known && !g_.value(id).rows && g_.shape(id).rank() == 4;
  return other && g_.shape(id).elements() > 0 ? reordered(id, true, nodes) : id;
}

Id Moves::reordered(Id id, bool rows, std::vector<Node>& nodes) {
  const auto [it, fresh] = reordered_.try_emplace({id, rows}, -1);
  if (!fresh) return it->second;
  Node n{View{}, {id}, {g_.add(g_.shape(id))}, {}, {"reorder"}};
  it->second = n.outputs[0];
  g_.value(it->second).rows = rows;
  write(n, source(id), to_dense(source(id), g_.shape(id), rows));
  nodes.push_back(std::move(n));
  return it->second;
}

std::vector<Node> Moves::lower(const Node& n, const role::Split& r) {
  std::vector<Node> parts;
  std::int64_t begin = 0;
  for (const Id out : n.outputs) {
    Node part = n;
    part.outputs = {out};
    if (!lower(part, role::Slice{r.axis, begin, 1})) return {};
    parts.push_back(std::move(part));
    begin += g_.shape(out)[r.axis];
  }
  return parts;
}

}  // namespace fovea::plan
