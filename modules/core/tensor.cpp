#include "modules/core/tensor.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "modules/core/iterate.hpp"
#include "modules/core/memory.hpp"
#include "modules/core/simd.hpp"

namespace fovea {
namespace {

std::atomic<std::uint64_t> next_storage_id{1};

// The view of `shape` over memory laid out by `from`/`strides`, if there is one.
bool view_strides(const Shape& from, const Shape& strides, const Shape& shape, Shape& out) {
  out = shape;
  int i = 0, j = 0;
  while (i < from.rank() || j < shape.rank()) {
    std::int64_t have = i < from.rank() ? from[i] : 1, want = j < shape.rank() ? shape[j] : 1;
    int i_end = std::min(i + 1, from.rank()), j_end = std::min(j + 1, shape.rank());
    while (have != want) {
      if (have < want) {
        if (i_end == from.rank()) return false;
        have *= from[i_end++];
      } else {
        if (j_end == shape.rank()) return false;
        want *= shape[j_end++];
      }
    }
    std::int64_t step = 0, extent = 1;
    bool first = true;
    for (int k = i_end - 1; k >= i; --k) {  // the source group must be one run of memory
      if (from[k] == 1) continue;
      if (first) step = strides[k];
      else if (strides[k] != step * extent) return false;
      extent *= from[k];
      first = false;
    }
    std::int64_t s = first ? 1 : step;
    for (int k = j_end - 1; k >= j; --k) {
      out[k] = s;
      s *= shape[k];
    }
    i = i_end;
    j = j_end;
  }
  return true;
}

template <class To, class From>
FOVEA_INLINE void convert_row(To* to, const From* from, std::int64_t n, std::int64_t st, std::int64_t sf) {
  auto convert = [](From v) {
    if constexpr (std::is_same_v<To, From>) return v;
    else if constexpr (std::is_same_v<To, f16> || std::is_same_v<To, bf16>) return To(static_cast<float>(v));
    else if constexpr (std::is_same_v<From, f16> || std::is_same_v<From, bf16>) return static_cast<To>(static_cast<float>(v));
    else return static_cast<To>(v);
  };
  if (st == 1 && sf == 1) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = convert(from[i]);
  } else if (st == 1 && sf == 0) {
    std::fill_n(to, n, convert(*from));
  } else {
    for (std::int64_t i = 0; i < n; ++i) to[i * st] = convert(from[i * sf]);
  }
}

template <class To, class From>
void copy_values(Tensor& to, const Tensor& from) {
  for_each_row<2>(to.shape(), {operand(to), operand(from)},
                  [](std::int64_t n, const std::array<void*, 2>& p, const std::array<std::int64_t, 2>& s) {
                    convert_row(static_cast<To*>(p[0]), static_cast<const From*>(p[1]), n, s[0], s[1]);
                  });
}

}  // namespace

Storage::Storage(std::size_t n) : bytes(n), data(memory::allocate(n)), id(next_storage_id++) {}
Storage::Storage(void* borrowed, std::size_t n) : bytes(n), data(borrowed), owned(false), id(next_storage_id++) {}
Storage::~Storage() {
  if (owned) memory::release(data, bytes);
}

Tensor Tensor::empty(const Shape& shape, DType dtype, Layout layout) {
  Tensor t;
  t.dtype_ = dtype;
  t.shape_ = shape;
  t.strides_ = dense_strides(shape, layout);
  std::int64_t bytes = 0;
  check(!__builtin_mul_overflow(shape.elements(), static_cast<std::int64_t>(size_of(dtype)), &bytes), "tensor ", shape,
        ": too large");
  t.storage_ = std::make_shared<Storage>(static_cast<std::size_t>(bytes));
  return t;
}

Tensor Tensor::over(void* memory, const Shape& shape, DType dtype, Layout layout) {
  Tensor t;
  t.dtype_ = dtype;
  t.shape_ = shape;
  t.strides_ = dense_strides(shape, layout);
  t.storage_ = std::make_shared<Storage>(memory, static_cast<std::size_t>(shape.elements()) * size_of(dtype));
  return t;
}

Tensor Tensor::full(const Shape& shape, double value, DType dtype, Layout layout) {
  Tensor t = empty(shape, dtype, layout);
  t.fill(value);
  return t;
}

bool Tensor::is_dense(Layout layout) const {
  const Shape dense = dense_strides(shape_, layout);
  for (int i = 0; i < rank(); ++i)
    if (shape_[i] > 1 && strides_[i] != dense[i]) return false;
  return true;
}

Layout Tensor::layout() const {
  return rank() == 4 && is_dense(Layout::channels_last) ? Layout::channels_last : Layout::row_major;
}

double Tensor::item() const {
  check(size() == 1, "tensor: item() wants one element, got ", shape_);
  return values().front();
}

std::vector<double> Tensor::values() const {
  const Tensor d = to(DType::f64).contiguous(Layout::row_major);
  return {d.data<double>(), d.data<double>() + d.size()};
}

Tensor Tensor::permute(const Shape& order) const {
  check(order.rank() == rank(), "permute: expected ", rank(), " axes, got ", order.rank());
  Tensor t = *this;
  unsigned seen = 0;
  for (int i = 0; i < rank(); ++i) {
    const int a = shape_.axis(static_cast<int>(order[i]), "permute");
    check(!(seen >> a & 1u), "permute: axis ", a, " is named twice");
    seen |= 1u << a;
    t.shape_[i] = shape_[a];
    t.strides_[i] = strides_[a];
  }
  return t;
}

Tensor Tensor::slice(int axis, std::int64_t begin, std::int64_t end, std::int64_t step) const {
  const int a = shape_.axis(axis, "slice");
  check(0 <= begin && begin <= end && end <= shape_[a] && step > 0, "slice: expected 0 <= begin <= end <= ", shape_[a],
        " and a positive step, got ", begin, ", ", end, ", ", step);
  Tensor t = *this;
  t.offset_ += begin * strides_[a];
  t.shape_[a] = (end - begin + step - 1) / step;
  t.strides_[a] *= step;
  return t;
}

Tensor Tensor::expand(const Shape& shape) const {
  check(broadcast(shape_, shape, "expand") == shape, "expand: ", shape_, " does not broadcast to ", shape);
  Tensor t = *this;
  t.shape_ = shape;
  t.strides_ = shape;
  const int shift = shape.rank() - rank();
  for (int i = 0; i < shape.rank(); ++i) t.strides_[i] = i < shift || shape_[i - shift] == 1 ? 0 : strides_[i - shift];
  return t;
}

Tensor Tensor::reshape(Shape shape) const {
  int unknown = -1;
  std::int64_t known = 1;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] != -1) known *= shape[i];
    else check(std::exchange(unknown, i) < 0, "reshape: only one dimension may be -1");
  }
  if (unknown >= 0 && known > 0) shape[unknown] = size() / known;
  check((unknown < 0 || known > 0) && shape.elements() == size(), "reshape: ", shape_, " has ", size(), " elements, ", shape,
        " has not");
  Shape strides;
  if (size() == 0) return empty(shape, dtype_);
  if (!view_strides(shape_, strides_, shape, strides)) return contiguous(Layout::row_major).reshape(shape);
  Tensor t = *this;
  t.shape_ = shape;
  t.strides_ = strides;
  return t;
}

Tensor Tensor::contiguous_copy(Layout layout) const {
  Tensor t = empty(shape_, dtype_, layout);
  t.copy_from(*this);
  return t;
}

Tensor Tensor::contiguous(Layout layout) const { return is_dense(layout) ? *this : contiguous_copy(layout); }

Tensor Tensor::to(DType dtype) const {
  if (dtype == dtype_) return *this;
  Tensor t = empty(shape_, dtype, layout());
  t.copy_from(*this);
  return t;
}

void Tensor::copy_from(const Tensor& source) {
  const Tensor from = source.shape() == shape_ ? source : source.expand(shape_);
  if (size() == 0) return;
  dispatch_any(dtype_, [&](auto to) {
    dispatch_any(from.dtype(), [&](auto value) { copy_values<decltype(to), decltype(value)>(*this, from); });
  });
}

void Tensor::fill(double value) {
  Tensor scalar;
  scalar.dtype_ = DType::f64;
  scalar.storage_ = std::make_shared<Storage>(sizeof(double));
  std::memcpy(scalar.raw(), &value, sizeof value);
  copy_from(scalar);
}

}  // namespace fovea
