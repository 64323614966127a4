#include "modules/plan/strided_view.hpp"

#include <algorithm>

namespace fovea::plan {
namespace {

Shape strides_of(const Shape& s, bool row_major) {
  return dense_strides(s, s.rank() == 4 && !row_major ? Layout::channels_last : Layout::row_major);
}

}  // namespace

std::int64_t StridedCopy::elements() const {
  std::int64_t n = 1;
  for (const Dim& d : dims) n *= d.size;
  return n;
}

StridedView StridedView::of(const Shape& shape, bool row_major) {
  StridedView s;
  const Shape strides = strides_of(shape, row_major);
  for (int i = 0; i < shape.rank(); ++i) s.axes_.push_back(shape[i] == 1 ? Axis{} : Axis{{shape[i], strides[i]}});
  return s;
}

Shape StridedView::shape() const {
  Shape out;
  for (const Axis& axis : axes_) {
    std::int64_t size = 1;
    for (const Factor& f : axis) size *= f.size;
    out.push_back(size);
  }
  return out;
}

// The factors of all axes are assigned to the new axes in order; one that is too large for its axis is split where the sizes divide.
std::optional<StridedView> StridedView::reshaped(const Shape& to) const {
  Axis open;
  for (const Axis& axis : axes_) open.insert(open.end(), axis.begin(), axis.end());
  std::reverse(open.begin(), open.end());
  StridedView out;
  out.offset_ = offset_;
  for (int i = 0; i < to.rank(); ++i) {
    out.axes_.emplace_back();
    for (std::int64_t rest = to[i]; rest > 1;) {
      if (open.empty()) return std::nullopt;
      Factor& f = open.back();
      if (rest % f.size == 0) {
        rest /= f.size;
        out.axes_.back().push_back(f);
        open.pop_back();
      } else if (f.size % rest == 0) {
        f.size /= rest;
        out.axes_.back().push_back({rest, f.stride * f.size});
        rest = 1;
      } else {
        return std::nullopt;
      }
    }
  }
  return open.empty() ? std::optional(out) : std::nullopt;
}

// Merges factors that are contiguous to each other.
StridedView::Axis StridedView::merged(const Axis& axis) {
  Axis out;
  for (const Factor& f : axis) {
    if (!out.empty() && out.back().stride == f.size * f.stride) out.back() = {out.back().size * f.size, f.stride};
    else out.push_back(f);
  }
  return out;
}

std::optional<Shape> StridedView::strides() const {
  Shape out;
  for (const Axis& axis : axes_) {
    const Axis a = merged(axis);
    if (a.size() > 1) return std::nullopt;
    out.push_back(a.empty() ? 0 : a[0].stride);
  }
  return out;
}

std::optional<StridedView> StridedView::sliced(int axis, std::int64_t begin, std::int64_t count, std::int64_t step) const {
  StridedView out = *this;
  Axis& a = out.axes_[static_cast<std::size_t>(axis)];
  a = merged(a);
  if (a.size() > 1 || count < 1) return std::nullopt;
  if (a.empty()) return out;
  out.offset_ += begin * a[0].stride;
  a[0] = {count, a[0].stride * step};
  if (count == 1) a.clear();
  return out;
}

StridedView StridedView::permuted(const Shape& order) const {
  StridedView out;
  out.offset_ = offset_;
  for (const auto axis : order) out.axes_.push_back(axes_[static_cast<std::size_t>(axis)]);
  return out;
}

StridedView StridedView::expanded(const Shape& to) const {
  const Shape from = shape();
  StridedView out;
  out.offset_ = offset_;
  for (int i = 0; i < to.rank(); ++i) {
    const int at = i - (to.rank() - from.rank());
    const bool repeated = at < 0 || from[at] != to[i];
    out.axes_.push_back(repeated ? Axis{{to[i], 0}} : axes_[static_cast<std::size_t>(at)]);
  }
  return out;
}

StridedCopy StridedView::copy_to(const Shape& whole, const Shape& to, bool row_major) const {
  const Shape strides = strides_of(whole, row_major);
  StridedCopy c;
  c.from = offset_;
  for (int i = 0; i < whole.rank(); ++i) {
    c.to += to[i] * strides[i];
    std::int64_t write = strides[i];
    const Axis& axis = axes_[static_cast<std::size_t>(i)];
    for (std::size_t f = axis.size(); f-- > 0; write *= axis[f].size) c.dims.push_back({axis[f].size, axis[f].stride, write});
  }
  std::stable_sort(c.dims.begin(), c.dims.end(),
                   [](const StridedCopy::Dim& a, const StridedCopy::Dim& b) { return a.write > b.write; });
  for (std::size_t i = c.dims.size(); i-- > 1;) {
    StridedCopy::Dim &outer = c.dims[i - 1], &inner = c.dims[i];
    if (outer.read != inner.size * inner.read || outer.write != inner.size * inner.write) continue;
    outer = {outer.size * inner.size, inner.read, inner.write};
    c.dims.erase(c.dims.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return c;
}

}  // namespace fovea::plan
