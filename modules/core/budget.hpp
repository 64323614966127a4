// What a network may take, counted before it is taken: recipes and model files come from strangers, too.
//   memory_limit()   bytes that a recipe may ask for: parameters, and the values of one picture of the recipe's own size
//   run_limit()      bytes of a run on pictures that somebody chose: what was set, else all that this process may use
#pragma once

#include <cstdint>
#include <string>

#include "modules/core/error.hpp"
#include "modules/core/shape.hpp"

namespace fovea {

// More than the limit allows, as opposed to something that is wrong in itself.
class OverBudget : public Error {
 public:
  using Error::Error;
};

constexpr std::uint64_t kUsualMemoryLimit = std::uint64_t{4} << 30;

std::uint64_t memory_limit();
std::uint64_t run_limit();
// For the whole process, at any time; 0: the usual again.
void set_memory_limit(std::uint64_t bytes);

// Physical memory, or less where a control group or `ulimit -v` says so.
std::uint64_t usable_memory();

// "3.2 GB"
std::string readable_bytes(std::uint64_t bytes);

// Throws OverBudget: "WHAT: expected at most 4.3 GB, got 17 GB; --max-memory ... raises the limit".
void check_memory(std::uint64_t bytes, std::uint64_t limit, const std::string& what);

// While alive, this thread only counts: a value of a trace larger than the limit is refused when its shape is known, and so is real
// memory once all that was asked for passes a share of it, since tables that blocks make beside their parameters are small.
class ShapeBudget {
 public:
  // Without tables: values of traces alone.
  explicit ShapeBudget(std::uint64_t limit, bool of_tables = true);
  ~ShapeBudget();
  ShapeBudget(const ShapeBudget&) = delete;
  ShapeBudget& operator=(const ShapeBudget&) = delete;

  // Called by the allocator and by traces; nothing where no budget is alive.
  static void take(std::size_t bytes);
  static void value(const Shape& shape);

 private:
  ShapeBudget* previous_;
  std::uint64_t limit_, left_;
};

}  // namespace fovea
