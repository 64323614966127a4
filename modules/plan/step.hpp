// What a plan runs: steps, made once and shared by threads, and the memory of one run.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "modules/core/dnnl_prepared.hpp"
#include "modules/plan/graph.hpp"

namespace fovea::plan {

// Where a value lies while the plan runs.
struct Place {
  enum class Kind : std::uint8_t { absent, arena, input, constant, held } kind = Kind::absent;
  std::size_t at = 0;  // offset in the arena, else an index
  Shape shape;
  DType type = DType::f32;  // f32 or bf16
  std::int64_t offset = 0;  // in elements, behind the beginning of an input
  bool rows = false;        // row-major though of rank 4
  Layout layout() const { return shape.rank() == 4 && !rows ? Layout::channels_last : Layout::row_major; }
};

// One run's memory; used by one thread at a time and kept for the next run.
class Run {
 public:
  Run(std::size_t arena_bytes, std::size_t held, std::vector<std::unique_ptr<dnn::PreparedConv::Call>> calls);

  void begin(const Tensors& inputs, std::shared_ptr<const Tensors> constants);
  void end();  // lets go of everything that this run did not allocate itself

  char* arena() const { return static_cast<char*>(arena_->data); }
  // In the place's type and the plan's layout. What an op's own forward made is converted where it is not so; valid until
  // clear_temporaries().
  const void* source(const Place& p);
  void* target(const Place& p) const { return arena() + p.at; }
  // The same of what is f32.
  const float* read(const Place& p) { return static_cast<const float*>(source(p)); }
  float* write(const Place& p) const { return static_cast<float*>(target(p)); }
  // The value as a tensor; one in the arena borrows its memory.
  Tensor tensor(const Place& p) const;
  void hold(const Place& p, Tensor value) { held_[p.at] = std::move(value); }
  void let_go(std::size_t held) { held_[held] = {}; }  // nobody reads it any more
  void clear_temporaries() { temporaries_.clear(); }
  dnn::PreparedConv::Call& call(std::size_t i) const { return *calls_[i]; }

 private:
  std::unique_ptr<Storage> arena_;
  Tensors inputs_, held_, temporaries_;
  std::shared_ptr<const Tensors> constants_;
  std::vector<std::unique_ptr<dnn::PreparedConv::Call>> calls_;
};

class Step {
 public:
  virtual ~Step() = default;
  virtual void run(Run& r) const = 0;
  virtual std::string how() const = 0;  // "brgconv:avx512_core", "own kernel", "op"
};

}  // namespace fovea::plan
