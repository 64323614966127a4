// Which keys the queries of attention may see, asked tile by tile: no Lq x Lk mask is ever held.
#pragma once

#include <cstdint>

namespace fovea {

class KeyPattern {
 public:
  struct Range {
    std::int64_t first, count;
    std::int64_t last() const { return first + count - 1; }
  };

  virtual ~KeyPattern() = default;
  // False only where no query of `rows` sees any key of `columns`: what lets attention leave a tile out.
  virtual bool touches(std::int64_t head, Range rows, Range columns) const = 0;
  // seen[j] = whether query `row` sees key columns.first + j.
  virtual void look(std::int64_t head, std::int64_t row, Range columns, bool* seen) const = 0;
};

}  // namespace fovea
