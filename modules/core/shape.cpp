#include "modules/core/shape.hpp"

#include <algorithm>

namespace fovea {

bool Shape::operator==(const Shape& o) const { return std::equal(begin(), end(), o.begin(), o.end()); }

std::int64_t Shape::elements() const {
  std::int64_t n = 1;
  for (auto d : *this) {
    check(d >= 0, "shape ", *this, ": negative dimension");
    check(!__builtin_mul_overflow(n, d, &n), "shape ", *this, ": too many elements");
  }
  return n;
}

int Shape::axis(int i, std::string_view what) const {
  const int a = i < 0 ? i + rank_ : i;
  check(a >= 0 && a < rank_, what, ": axis ", i, " is outside a tensor of rank ", rank_);
  return a;
}

Shape Shape::without(int a) const {
  Shape out;
  for (int i = 0; i < rank_; ++i)
    if (i != a) out.push_back((*this)[i]);
  return out;
}

Shape Shape::with(int a, std::int64_t size) const {
  Shape out = *this;
  out[a] = size;
  return out;
}

std::string Shape::str() const {
  if (rank_ == 0) return "scalar";
  std::string text;
  for (auto d : *this) text += (text.empty() ? "" : "x") + std::to_string(d);
  return text;
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << shape.str(); }

Shape broadcast(const Shape& a, const Shape& b, std::string_view what) {
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  Shape out = longer;
  const int shift = longer.rank() - shorter.rank();
  for (int i = 0; i < shorter.rank(); ++i) {
    const auto x = longer[i + shift], y = shorter[i];
    check(x == y || x == 1 || y == 1, what, ": expected shapes that broadcast, got ", a, " and ", b);
    out[i + shift] = x == 1 ? y : x;
  }
  return out;
}

Shape dense_strides(const Shape& shape, Layout layout) {
  Shape strides = shape;
  std::int64_t step = 1;
  auto place = [&](int i) {
    strides[i] = step;
    step *= std::max<std::int64_t>(shape[i], 1);
  };
  if (layout == Layout::channels_last) {
    check(shape.rank() == 4, "channels-last layout: expected rank 4, got ", shape);
    for (int i : {1, 3, 2, 0}) place(i);
  } else {
    for (int i = shape.rank() - 1; i >= 0; --i) place(i);
  }
  return strides;
}

}  // namespace fovea
