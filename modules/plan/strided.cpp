#include "modules/plan/strided.hpp"

#include <algorithm>

namespace fovea::plan {
namespace {

Shape strides_of(const Shape& s, bool rows) {
  return dense_strides(s, s.rank() == 4 && !rows ? Layout::channels_last : Layout::row_major);
}

}  // namespace

std::int64_t Move::elements() const {
  std::int64_t n = 1;
  for (const Dim& d : dims) n *= d.size;
  return n;
}

Strided Strided::of(const Shape& shape, bool rows) {
  Strided s;
  const Shape strides = strides_of(shape, rows);
  for (int i = 0; i < shape.rank(); ++i) s.axes_.push_back(shape[i] == 1 ? Axis{} : Axis{{shape[i], strides[i]}});
  return s;
}

Shape Strided::shape() const {
  Shape out;
  for (const Axis& axis : axes_) {
    std::int64_t size = 1;
    for (const Factor& f : axis) size *= f.size;
    out.push_back(size);
  }
  return out;
}

// All factors in their order are handed out to the new axes; one that is too large for an axis is split where that works out.
std::optional<Strided> Strided::reshaped(const Shape& to) const {
  Axis open;
  for (const Axis& axis : axes_) open.insert(open.end(), axis.begin(), axis.end());
  std::reverse(open.begin(), open.end());
  Strided out;
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

// Factors that follow each other in memory become one.
Strided::Axis Strided::merged(const Axis& axis) {
  Axis out;
  for (const Factor& f : axis) {
    if (!out.empty() && out.back().stride == f.size * f.stride) out.back() = {out.back().size * f.size, f.stride};
    else out.push_back(f);
  }
  return out;
}

std::optional<Shape> Strided::strides() const {
  Shape out;
  for (const Axis& axis : axes_) {
    const Axis a = merged(axis);
    if (a.size() > 1) return std::nullopt;
    out.push_back(a.empty() ? 0 : a[0].stride);
  }
  return out;
}

std::optional<Strided> Strided::sliced(int axis, std::int64_t begin, std::int64_t count, std::int64_t step) const {
  Strided out = *this;
  Axis& a = out.axes_[static_cast<std::size_t>(axis)];
  a = merged(a);
  if (a.size() > 1 || count < 1) return std::nullopt;
  if (a.empty()) return out;
  out.offset_ += begin * a[0].stride;
  a[0] = {count, a[0].stride * step};
  if (count == 1) a.clear();
  return out;
}

Strided Strided::permuted(const Shape& order) const {
  Strided out;
  out.offset_ = offset_;
  for (const auto axis : order) out.axes_.push_back(axes_[static_cast<std::size_t>(axis)]);
  return out;
}

Strided Strided::expanded(const Shape& to) const {
  const Shape from = shape();
  Strided out;
  out.offset_ = offset_;
  for (int i = 0; i < to.rank(); ++i) {
    const int at = i - (to.rank() - from.rank());
    const bool repeated = at < 0 || from[at] != to[i];
    out.axes_.push_back(repeated ? Axis{{to[i], 0}} : axes_[static_cast<std::size_t>(at)]);
  }
  return out;
}

Move Strided::move(const Shape& whole, const Shape& to, bool rows) const {
  const Shape strides = strides_of(whole, rows);
  Move m;
  m.from = offset_;
  for (int i = 0; i < whole.rank(); ++i) {
    m.to += to[i] * strides[i];
    std::int64_t write = strides[i];
    const Axis& axis = axes_[static_cast<std::size_t>(i)];
    for (std::size_t f = axis.size(); f-- > 0; write *= axis[f].size) m.dims.push_back({axis[f].size, axis[f].stride, write});
  }
  std::stable_sort(m.dims.begin(), m.dims.end(), [](const Move::Dim& a, const Move::Dim& b) { return a.write > b.write; });
  for (std::size_t i = m.dims.size(); i-- > 1;) {
    Move::Dim &outer = m.dims[i - 1], &inner = m.dims[i];
    if (outer.read != inner.size * inner.read || outer.write != inner.size * inner.write) continue;
    outer = {outer.size * inner.size, inner.read, inner.write};
    m.dims.erase(m.dims.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return m;
}

}  // namespace fovea::plan
