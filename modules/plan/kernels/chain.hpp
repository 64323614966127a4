// A chain of pointwise steps over a map, in one pass over memory: tiles of it go through all steps while they are in the first cache.
// Steps that registers can do run there together (stretch.hpp), others go over the tile one by one. Tiles are f32; maps in memory may
// be bf16.
#pragma once

#include <array>
#include <vector>

#include "modules/plan/graph.hpp"
#include "modules/plan/kernels/stretch.hpp"

namespace fovea::plan {

class Chain {
 public:
  static constexpr std::int64_t kTile = 4096;  // elements; a position with more channels than that is a tile of its own
  struct alignas(64) Room : std::array<float, kTile> {};

  Chain() = default;
  struct Operand {
    Shape shape;
    DType type = DType::f32;  // bf16 only where it has the full shape
  };
  // Of a value of shape `full`, which comes out as `to`. Operands are spread over `full`; operand 0 is the value itself, of that shape
  // unless a spread link stands first.
  // With `whole_places` every tile holds whole positions: all channels of some of them.
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
  // Whether y may also be x where x is an operand besides: all of a position is read before it is written.
  bool at_once() const { return !steps_.empty() && steps_.front().together == steps_.size(); }

 private:
  static constexpr std::size_t kTogether = 32;  // steps that run in registers at once
  struct Step {
    Link::Kind kind = Link::Kind::pointwise;  // spread, binary, aside, back too
    role::Pointwise pointwise = {};
    role::Binary binary = {};
    std::size_t operand = 0;
    std::size_t product = 0;               // of a sum of products: the operand that has the full shape
    std::vector<std::int64_t> outer = {};  // the operand's step along each outer dimension
    std::int64_t sp = 0, su = 0;
    bool narrow = false;                         // the operand is bf16
    std::optional<Action::Kind> registers = {};  // what it is there, if it can be done there
    std::size_t together = 0;  // so many steps from here on run in registers at once; 0: this one alone, on the tile
  };
  struct Flow;
  static bool reads(const Step& s);  // an operand that is spread over the map
  static std::optional<Action::Kind> action_of(const Step& s);
  void lay_out(const Shape& lies, const std::vector<Shape>& strides, bool whole_places);
  void group();
  bool cramped(const Step& s) const;
  bool quick_on_tile(const Step& s) const;
  std::size_t inseparable(std::size_t begin) const;
  Source whole(const Flow& f, const void* map, bool narrow) const;
  Source spread(const Flow& f, const Step& s) const;
  Action action(Flow& f, const Step& s) const;
  void in_registers(Flow& f, std::size_t begin, std::size_t count) const;
  void on_tile(Flow& f, const Step& s) const;
  void run(std::int64_t index, float* room, const Target& y, const void* x, const void* const* operands) const;

  std::vector<std::int64_t> dims_;  // outer dimensions, outermost first
  std::int64_t outer_ = 1, positions_ = 1, width_ = 1;
  std::int64_t unit_ = 1, piece_ = 1, pieces_ = 1;  // a piece is that many units: positions or, of one long row, elements
  std::vector<Step> steps_;
  DType from_ = DType::f32, to_ = DType::f32;
};

role::Binary sum_of_two();
// The dimensions of a shape in the order in which the plan keeps it in memory.
Shape memory_order(const Shape& shape);

}  // namespace fovea::plan
