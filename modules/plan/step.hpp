// The steps that a plan runs, which threads share, and the memory of one run, which they do not.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "modules/core/dnnl_prepared.hpp"
#include "modules/plan/graph.hpp"

namespace fovea::plan {

// Where a value lies during a run.
struct BufferRef {
  enum class Kind : std::uint8_t {
    absent,
    arena,     // at `at` bytes from its beginning
    input,     // of the plan, the `at`th, `offset` elements from its beginning
    constant,  // the `at`th
    eager      // a tensor that an op's own forward made, in slot `at`
  } kind = Kind::absent;
  std::size_t at = 0;
  Shape shape;
  DType type = DType::f32;  // or bf16
  std::int64_t offset = 0;
  bool row_major = false;  // row-major though of rank 4
  Layout layout() const { return shape.rank() == 4 && !row_major ? Layout::channels_last : Layout::row_major; }
};

// The memory of one run. Used by one thread at a time and kept for the next run, but for the arena: the caching allocator gives its block to
// the next run of any plan, since fresh pages cost a new picture size more than its kernels.
class Run {
 public:
  Run(std::size_t arena_bytes, std::size_t eager_slots, std::vector<std::unique_ptr<dnn::PreparedConv::Call>> calls);

  void begin(const Tensors& inputs, std::shared_ptr<const Tensors> constants);
  void end();  // releases the arena and every tensor

  char* arena() const { return static_cast<char*>(arena_->data); }
  // The address of a value in its type and the plan's layout; null for an absent one. An eager tensor of another layout or type is
  // converted to a temporary, which is valid until clear_temporaries().
  const void* source(const BufferRef& b);
  void* target(const BufferRef& b) const { return arena() + b.at; }  // of a value in the arena
  const float* read(const BufferRef& b) { return static_cast<const float*>(source(b)); }
  float* write(const BufferRef& b) const { return static_cast<float*>(target(b)); }
  // The value as a tensor; one in the arena or of an input shares its memory.
  Tensor tensor(const BufferRef& b) const;
  void store(const BufferRef& b, Tensor value) { eager_[b.at] = std::move(value); }  // of kind eager
  void release(std::size_t eager_slot) { eager_[eager_slot] = {}; }
  void clear_temporaries() { temporaries_.clear(); }
  dnn::PreparedConv::Call& call(std::size_t i) const { return *calls_[i]; }

 private:
  std::size_t arena_bytes_;
  std::unique_ptr<Storage> arena_;
  Tensors inputs_, eager_, temporaries_;
  std::shared_ptr<const Tensors> constants_;
  std::vector<std::unique_ptr<dnn::PreparedConv::Call>> calls_;
};

class Step {
 public:
  virtual ~Step() = default;
  virtual void run(Run& r) const = 0;
  virtual std::string how()
      const = 0;  // the kernel, as `fovea plan` prints it: "brgconv:avx512_core", "global reduce", "softmax"
};

constexpr const char* kEagerOp = "eager op";  // how() of a step that runs an op's own forward

}  // namespace fovea::plan
