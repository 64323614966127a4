#include "modules/plan/view_lowering.hpp"

#include <algorithm>

#include "modules/plan/kernels/single_output_conv.hpp"

namespace fovea::plan {

ViewLowering::Source ViewLowering::source(Id id) const {
  const auto it = sources_.find(id);
  return it == sources_.end() ? Source{id, whole(id)} : it->second;
}

StridedView ViewLowering::whole(Id id) const { return StridedView::of(g_.shape(id), g_.value(id).row_major); }

// A view of a view becomes a view of the memory below; where that is not possible, the view between becomes dense first.
template <class Change>
bool ViewLowering::change(Node& n, const Change& change) {
  const Id id = n.inputs[0];
  if (g_.constant(id) || !g_.value(id).planned || g_.shape(id).elements() == 0 || g_.shape(n.outputs[0]).elements() == 0)
    return false;
  Source s = source(id);
  std::optional<StridedView> view = change(s.view);
  if (!view) s.root = id, view = change(whole(id));
  if (!view) return false;
  write(n, {s.root, *view});
  return true;
}

void ViewLowering::write(Node& n, const Source& s) {
  const Id out = n.outputs[0];
  StridedCopy copy = to_dense(s, g_.shape(out), false);
  // What is row-major without a copy stays so: tokens reshaped to a map whose channels come last.
  if (const StridedCopy by_rows = to_dense(s, g_.shape(out), true); !copy.contiguous() && by_rows.contiguous())
    copy = by_rows, g_.value(out).row_major = true;
  write(n, s, copy);
}

void ViewLowering::write(Node& n, const Source& s, const StridedCopy& copy) {
  n.inputs = {s.root};
  if (copy.contiguous()) n.work = View(copy.from);
  else n.work = Copy({{0, copy}});
  sources_[n.outputs[0]] = s;
}

StridedCopy ViewLowering::to_dense(const Source& s, const Shape& shape, bool row_major) {
  Shape first;
  for (int i = 0; i < shape.rank(); ++i) first.push_back(0);
  return s.view.copy_to(shape, first, row_major);
}

bool ViewLowering::lower(Node& n, const role::Reshape&) {
  return change(n, [&](const StridedView& s) { return s.reshaped(g_.shape(n.outputs[0])); });
}

bool ViewLowering::lower(Node& n, const role::Permute& r) {
  return change(n, [&](const StridedView& s) -> std::optional<StridedView> {
    const auto split = r.split.rank() ? s.reshaped(r.split) : std::optional(s);
    if (!split) return std::nullopt;
    return split->permuted(r.order).reshaped(g_.shape(n.outputs[0]));
  });
}

bool ViewLowering::lower(Node& n, const role::Slice& r) {
  const std::int64_t count = g_.shape(n.outputs[0])[r.axis];
  return change(n, [&](const StridedView& s) { return s.sliced(r.axis, r.begin, count, r.step); });
}

bool ViewLowering::lower(Node& n, const role::Expand&) {
  return change(n, [&](const StridedView& s) { return std::optional(s.expanded(g_.shape(n.outputs[0]))); });
}

bool ViewLowering::lower(Node& n, const role::Concat& r) {
  const Shape whole = g_.shape(n.outputs[0]);
  Shape to;
  for (int i = 0; i < whole.rank(); ++i) to.push_back(0);
  std::vector<Copy::Piece> pieces;
  std::vector<Id> roots;
  for (const Id id : n.inputs) {
    if (!g_.value(id).planned && !g_.constant(id)) return false;
    const Source s = source(id);
    if (g_.shape(id).elements() > 0) pieces.push_back({roots.size(), s.view.copy_to(whole, to)});
    roots.push_back(s.root);
    to[r.axis] += g_.shape(id)[r.axis];
  }
  if (whole.elements() == 0) return false;
  n.inputs = std::move(roots);
  n.work = Copy(std::move(pieces));
  return true;
}

// The inputs of a computation that takes any strides are read where the views lead.
bool ViewLowering::lower(Node& n, const role::Computation& r) {
  std::vector<role::Computation::Value> in, out;
  std::vector<Id> roots;
  Compute work(r.row_major);
  bool row_major = r.row_major;
  for (const Id id : n.inputs) {
    if (id >= 0 && !g_.constant(id) && !g_.value(id).planned) return false;
    Source s{id, id < 0 ? StridedView() : whole(id)};
    if (r.any_strides && id >= 0 && source(id).view.strides()) s = source(id);
    if (!r.any_strides && id >= 0) row_major |= g_.value(id).row_major;
    if (r.row_major && g_.constant(id) && id >= 0) s.view = StridedView::of(g_.shape(id), true);
    in.push_back(id < 0 ? role::Computation::Value{} : role::Computation::Value{g_.shape(id), *s.view.strides()});
    roots.push_back(s.root), work.offsets.push_back(s.view.offset());
  }
  for (const Id id : n.outputs) {
    if (g_.shape(id).elements() == 0) return false;
    out.push_back({g_.shape(id), *StridedView::of(g_.shape(id), row_major).strides()});
  }
  auto bound = r.bind(in, out);
  if (!bound) return false;
  work.bound = std::move(*bound);
  n.inputs = std::move(roots), n.work = std::move(work);
  for (const Id id : n.outputs) g_.value(id).row_major = row_major && g_.shape(id).rank() == 4;
  return true;
}

bool ViewLowering::single_output_conv(Node& n, Convolve& c) {
  const Id id = n.inputs[0];
  const Shape& x = g_.shape(id);
  if (n.inputs[3] >= 0 || !g_.value(id).planned || !SingleOutputConv::fits(c.options, x, g_.shape(n.inputs[1]))) return false;
  Source s = source(id);
  if (!s.view.strides()) s = {id, whole(id)};
  n.inputs[0] = s.root;
  c.single_output = Convolve::SingleOutput{x, *s.view.strides(), s.view.offset()};
  return true;
}

Id ViewLowering::channels_last(Id id, std::vector<Node>& nodes) {
  return id < 0 || !g_.value(id).row_major ? id : reordered(id, false, nodes);
}

Id ViewLowering::row_major(Id id, std::vector<Node>& nodes) {
  const bool other = id >= 0 && !g_.constant(id) && g_.value(id).planned && !g_.value(id).row_major && g_.shape(id).rank() == 4;
  return other && g_.shape(id).elements() > 0 ? reordered(id, true, nodes) : id;
}

Id ViewLowering::reordered(Id id, bool row_major, std::vector<Node>& nodes) {
  const auto [it, fresh] = reordered_.try_emplace({id, row_major}, -1);
  if (!fresh) return it->second;
  Node n{View{}, {id}, {g_.add(g_.shape(id))}, {}, {"reorder"}};
  it->second = n.outputs[0];
  g_.value(it->second).row_major = row_major;
  write(n, source(id), to_dense(source(id), g_.shape(id), row_major));
  nodes.push_back(std::move(n));
  return it->second;
}

std::vector<Node> ViewLowering::lower(const Node& n, const role::Split& r) {
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
