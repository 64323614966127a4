// Sums and maxima of a channels-last map along its rows, columns and channels, all that are wanted in one pass over memory: a few rows
// go through every statistic while they are in cache. Threads share the map out by rows, as the passes before and behind it do, so that
// it stays in the cache of the core that works on it: shared out by columns, the pass that gates 56x56x256 on two threads took 0.19 ms
// and not 0.08. Sums along the rows are taken over parts that depend on the shape alone: threads do not change a result. A NaN wins over
// every maximum.
#pragma once

#include <optional>
#include <vector>

#include "modules/autograd/lowering.hpp"

namespace fovea::plan {

class LineKernel {
 public:
  static constexpr std::size_t kMost = 16;  // lines
  LineKernel(std::vector<role::Line> lines, const Shape& x);
  std::int64_t workspace() const;  // elements
  // T is float or bf16. out: of each line, as its output lies in memory.
  template <class T>
  void run(const T* x, float* const* out, float* workspace) const;

 private:
  struct Rows {  // that go through all statistics together
    std::int64_t first, count;
    bool fresh;  // the first of their part
  };
  template <class T>
  void part(std::int64_t index, const T* x, float* const* out, float* sum, float* top) const;
  template <class T>
  void both(const Rows& rows, const T* x, float* y, float* sum, float* top) const;
  template <class T>
  void down(const Rows& rows, const T* x, float* sum, float* top) const;
  template <class T>
  void along_row(const role::Line& l, const T* x, float* y) const;
  void join(std::int64_t sample, std::int64_t from, const float* parts, float* const* out) const;

  std::vector<role::Line> lines_;
  std::int64_t samples_, channels_, height_, width_;
  std::int64_t parts_, part_;           // of a sample, of at most so many rows
  std::int64_t row_;                    // elements of a row
  std::optional<std::size_t> crossed_;  // the line along the columns that is taken together with those along the rows
  bool down_ = false, tops_ = false;    // something is wanted along the rows, also a maximum
};

}  // namespace fovea::plan
