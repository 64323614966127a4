// A chain of pointwise steps over a map, in one pass over memory: tiles of it go through all steps while they are in the first cache.
// Tiles are f32; maps in memory may be bf16.
#pragma once

#include <array>
#include <vector>

#include "modules/plan/graph.hpp"

namespace fovea::plan {

class Chain {
 public:
  static constexpr std::int64_t kTile = 4096;  // elements; a place with more channels than that is a tile of its own

  Chain() = default;
  struct Operand {
    Shape shape;
    DType type = DType::f32;  // bf16 only where it has the full shape
  };
  // Of a value of shape `full`, which comes out as `to`. Operands are spread over `full`; operand 0 is the value itself, of that shape
  // unless a spread link stands first.
  // With `whole_places` every tile holds whole places: all channels of some of them.
  Chain(const Links& links, const Shape& full, const std::vector<Operand>& operands, DType to, bool whole_places = false);

  struct Tile {
    std::int64_t first, size;  // elements
  };
  std::int64_t tiles() const { return outer_ * pieces_; }
  Tile tile(std::int64_t i) const;
  // out[0 .. size) = the chain of x's tile; out may be x's tile itself. operands: as in the constructor, [0] used by a spread link alone.
  void run(std::int64_t tile, float* out, const void* x, const void* const* operands) const;
  // All tiles, over threads: y may be x where they are of one type.
  void run(void* y, const void* x, const void* const* operands) const;
  bool empty() const { return steps_.empty(); }

 private:
  struct Step {
    Link::Kind kind = Link::Kind::pointwise;  // binary, aside, back too
    role::Pointwise pointwise = {};
    role::Binary::Row row = nullptr;
    std::size_t operand = 0;
    std::size_t product = 0;               // of a sum of products: the operand that has the full shape
    std::vector<std::int64_t> outer = {};  // the operand's step along each outer dimension
    std::int64_t sp = 0, su = 0;
    bool narrow = false;  // the operand is bf16
  };
  static bool reads(const Step& s);  // an operand that is spread over the map
  const float* whole(const Step& s, const Tile& t, const void* operand, float* room) const;
  const float* spread(const Step& s, std::int64_t index, const void* operand) const;

  std::vector<std::int64_t> dims_;  // outer dimensions, outermost first
  std::int64_t outer_ = 1, places_ = 1, width_ = 1;
  std::int64_t unit_ = 1, piece_ = 1, pieces_ = 1;  // a piece is that many units: places or, of one long row, elements
  std::vector<Step> steps_;
  bool spreads_ = false;  // the first step reads the value as an operand
  DType from_ = DType::f32, to_ = DType::f32;
};

role::Binary sum_of_two();
// The dimensions of a shape in the order in which the plan keeps it in memory.
Shape memory_order(const Shape& shape);

}  // namespace fovea::plan
