// A fused chain of elementwise operations over a map, which is read and written once: the map is cut into tiles that fit the first-level
// cache, and each tile goes through all operations. Operations that can keep their values in registers are grouped and run together
// (register_elementwise.hpp), others loop over the tile one by one. Tiles are f32; maps in memory may be bf16.
#pragma once

#include <array>
#include <vector>

#include "modules/plan/graph.hpp"
#include "modules/plan/kernels/register_elementwise.hpp"

namespace fovea::plan {

class ElementwiseKernel {
 public:
  static constexpr std::int64_t kTile = 4096;  // elements of a tile at most
  struct alignas(64) TileBuffer : std::array<float, kTile> {};

  ElementwiseKernel() = default;
  struct Operand {
    Shape shape;
    DType type = DType::f32;  // bf16 only where the shape is `full`
  };
  // full: shape of the result; to: its type, f32 or bf16. operands: those of the ops, which broadcast to `full`; operand 0 is x, of shape
  // `full` unless the first op is a broadcast. With `whole_positions` no tile cuts the channels of a position, of which there may be at
  // most kTile.
  ElementwiseKernel(const ElementwiseOps& ops, const Shape& full, const std::vector<Operand>& operands, DType to,
                    bool whole_positions = false);

  struct Tile {
    std::int64_t first, size;  // elements of the result
  };
  std::int64_t tiles() const { return outer_ * tiles_per_block_; }
  Tile tile(std::int64_t i) const;
  // Computes one tile to out[0 .. size), in f32; out may be x's tile itself. operands: as in the constructor; [0] is read by a broadcast
  // only. Runs on the calling thread.
  void run(std::int64_t tile, float* out, const void* x, const void* const* operands) const;
  // Computes all tiles; threads share them. y may be x where they are of one type.
  void run(void* y, const void* x, const void* const* operands) const;
  bool empty() const { return instructions_.empty(); }
  // Whether y may be x even where x is an operand, too: each position is read completely before it is written.
  bool single_group() const { return !instructions_.empty() && instructions_.front().group == instructions_.size(); }

 private:
  static constexpr std::size_t kMaxGroup = 32;                  // instructions that run in registers together
  struct Instruction {                                          // an ElementwiseOp with the strides of its operand
    ElementwiseOp::Kind kind = ElementwiseOp::Kind::pointwise;  // affine becomes two of kind binary
    role::Pointwise pointwise = {};
    role::Binary binary = {};
    std::size_t operand = 0;
    std::size_t product = 0;  // not 0: value + operand * product, where the operand with this index has the full shape
    std::vector<std::int64_t> outer = {};  // strides of the operand along dims_
    std::int64_t position_stride = 0, element_stride = 0;
    bool is_bf16 = false;                              // the operand, or that of the product
    std::optional<RegisterOp::Kind> register_op = {};  // nothing: runs on the tile only
    std::size_t group = 0;  // number of instructions from here on that run in registers together; 0: this one alone, on the tile
  };
  struct TileRun;
  static bool broadcasts(const Instruction& s);  // has an operand that broadcasts to the result
  static std::optional<RegisterOp::Kind> register_op_of(const Instruction& s);
  void set_tiling(const Shape& full, const std::vector<Shape>& strides, bool whole_positions);
  void form_groups();
  bool short_row(const Instruction& s) const;
  bool prefers_tile(const Instruction& s) const;
  std::size_t group_size(std::size_t begin) const;
  RegisterSource tile_of(const TileRun& f, const void* map, bool is_bf16) const;
  RegisterSource broadcast_operand(const TileRun& f, const Instruction& s) const;
  RegisterOp resolve(TileRun& f, const Instruction& s) const;
  void run_in_registers(TileRun& f, std::size_t begin, std::size_t count) const;
  void run_on_tile(TileRun& f, const Instruction& s) const;
  void run(std::int64_t index, float* buffer, const RegisterTarget& y, const void* x, const void* const* operands) const;

  // The result as dims_ x positions_ x width_ elements. A tile is a run of units of one positions_ x width_ block; a unit is a position,
  // or one element where the rows are long.
  std::vector<std::int64_t> dims_;  // outermost first
  std::int64_t outer_ = 1, positions_ = 1, width_ = 1;
  std::int64_t unit_ = 1, tile_units_ = 1, tiles_per_block_ = 1;
  std::vector<Instruction> instructions_;
  DType from_ = DType::f32, to_ = DType::f32;
};

// x + g as an operation that only kernels inline: it has no row function.
role::Binary sum_of_two();
// The dimensions of a shape in the order in which the plan keeps it in memory, outermost first.
Shape memory_order(const Shape& shape);

}  // namespace fovea::plan
