// Tensor: shared storage, an element type, a shape and strides (in elements). Copying a Tensor shares the storage.
// Feature maps (rank 4, logical order N, C, H, W) are dense channels-last; everything else is dense row-major.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "modules/core/dtype.hpp"
#include "modules/core/shape.hpp"

namespace fovea {

// A block of memory. `version` counts writes by optimisers and loaders, so that caches of reordered weights know when they
// are stale; `id` is never reused.
struct Storage {
  explicit Storage(std::size_t bytes);
  Storage(void* borrowed, std::size_t bytes);  // somebody else's memory, which must outlive this
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  std::size_t bytes;
  void* data;
  bool owned = true;
  std::uint64_t id;
  std::uint64_t version = 0;
};

class Tensor {
 public:
  Tensor() = default;  // undefined: defined() is false
  static Tensor empty(const Shape& shape, DType dtype = DType::f32, Layout layout = Layout::row_major);
  static Tensor full(const Shape& shape, double value, DType dtype = DType::f32, Layout layout = Layout::row_major);
  static Tensor zeros(const Shape& shape, DType dtype = DType::f32, Layout layout = Layout::row_major) {
    return full(shape, 0, dtype, layout);
  }
  // A tensor over memory that is there already and outlives it.
  static Tensor over(void* memory, const Shape& shape, DType dtype, Layout layout);
  // Values in row-major order.
  template <class T>
  static Tensor from(std::span<const T> values, const Shape& shape);
  template <class T>
  static Tensor from(const std::vector<T>& values, const Shape& shape) {
    return from(std::span<const T>(values), shape);
  }
  static Tensor like(const Tensor& other) { return empty(other.shape(), other.dtype(), other.layout()); }

  bool defined() const { return storage_ != nullptr; }
  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  const Shape& strides() const { return strides_; }
  int rank() const { return shape_.rank(); }
  std::int64_t dim(int i) const { return shape_[shape_.axis(i, "tensor")]; }
  std::int64_t size() const { return shape_.elements(); }
  std::size_t bytes() const { return static_cast<std::size_t>(size()) * size_of(dtype_); }

  bool is_dense(Layout layout) const;
  bool is_dense() const { return is_dense(Layout::row_major) || (rank() == 4 && is_dense(Layout::channels_last)); }
  // channels_last for a rank-4 tensor that lies so, else row_major: the layout that results of pointwise work take.
  Layout layout() const;

  void* raw() { return static_cast<char*>(storage_->data) + offset_ * static_cast<std::int64_t>(size_of(dtype_)); }
  const void* raw() const { return const_cast<Tensor*>(this)->raw(); }
  template <class T>
  T* data() {
    check(dtype_of<T>::value == dtype_, "tensor: expected ", name_of(dtype_of<T>::value), ", got ", name_of(dtype_));
    return static_cast<T*>(raw());
  }
  template <class T>
  const T* data() const {
    return const_cast<Tensor*>(this)->data<T>();
  }
  const std::shared_ptr<Storage>& storage() const { return storage_; }
  bool shares_storage(const Tensor& other) const { return storage_ == other.storage_; }

  // The single element, as a double.
  double item() const;
  // All elements in row-major order, as doubles.
  std::vector<double> values() const;

  // Views: no copy.
  Tensor permute(const Shape& order) const;
  Tensor slice(int axis, std::int64_t begin, std::int64_t end, std::int64_t step = 1) const;
  Tensor expand(const Shape& shape) const;  // broadcast dimensions get stride 0
  // A view where the strides allow it, else a copy in row-major order. One dimension may be -1.
  Tensor reshape(Shape shape) const;

  Tensor clone() const { return contiguous_copy(layout()); }
  // This tensor if it is dense in that layout already, else a dense copy.
  Tensor contiguous(Layout layout) const;
  Tensor contiguous() const { return contiguous(layout()); }
  Tensor to(DType dtype) const;
  // Copies values (broadcast and converted) into this tensor's elements.
  void copy_from(const Tensor& source);
  void fill(double value);
  // Says that the values changed in place: caches of reordered copies become stale.
  void touch() { ++storage_->version; }

 private:
  Tensor contiguous_copy(Layout layout) const;

  std::shared_ptr<Storage> storage_;
  std::int64_t offset_ = 0;
  DType dtype_ = DType::f32;
  Shape shape_, strides_;
};

using Tensors = std::vector<Tensor>;

template <class T>
Tensor Tensor::from(std::span<const T> values, const Shape& shape) {
  check(static_cast<std::int64_t>(values.size()) == shape.elements(), "tensor: expected ", shape.elements(), " values for ",
        shape, ", got ", values.size());
  Tensor out = empty(shape, dtype_of<T>::value);
  std::copy(values.begin(), values.end(), out.data<T>());
  return out;
}

}  // namespace fovea
