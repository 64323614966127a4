#include "modules/plan/kernels/elementwise.hpp"

#include <algorithm>

#include "modules/core/threads.hpp"
#include "modules/plan/kernels/convert.hpp"

namespace fovea::plan {
namespace {

// A tile with room for a vector that begins at its last element.
struct alignas(64) TiledOperand : std::array<float, ElementwiseKernel::kTile + kShortRow> {};

// Repeats an operand that broadcasts over rows of fewer than kShortRow elements to a dense tile.
const float* tiled(TiledOperand& tile, const RegisterSource& s, std::int64_t positions, std::int64_t width) {
  const auto* g = static_cast<const float*>(s.at);
  float* y = tile.data();
  if (s.form == RegisterSource::Form::f32 && s.step == 0) {  // the same for all positions: doubled until it fills the tile
    std::copy_n(g, width, y);
    for (std::int64_t have = width; have < positions * width; have *= 2)
      std::copy_n(y, std::min(have, positions * width - have), y + have);
    return tile.data();
  }
  for (std::int64_t p = 0; p < positions; ++p, y += width, g += s.step) {
    if (s.form == RegisterSource::Form::scalar) std::fill_n(y, kShortRow, *g);  // the next position overwrites the rest
    else std::copy_n(g, width, y);
  }
  return tile.data();
}

// Whether ops[i] and the two after it push, multiply by an operand and add: the sum of the value and a product of two operands.
bool is_sum_of_products(const ElementwiseOps& ops, std::size_t i) {
  return i + 2 < ops.size() && ops[i].kind == ElementwiseOp::Kind::push && ops[i + 1].kind == ElementwiseOp::Kind::binary &&
         ops[i + 1].binary.product && ops[i + 2].kind == ElementwiseOp::Kind::pop && ops[i + 2].binary.sum;
}

// Strides of an operand along the dimensions of `full`, which is in memory order: 0 where it is broadcast. With `channels` the operand is
// of rank 1, one value for each channel.
Shape broadcast_strides(const Shape& operand, const Shape& full, bool channels) {
  Shape strides;
  const int rank = full.rank();
  if (channels) {
    for (int i = 0; i < rank; ++i) strides.push_back(i == rank - 1 && full[i] > 1 ? 1 : 0);
    return strides;
  }
  Shape padded;  // aligned at the last dimension, as NumPy does
  for (int i = operand.rank(); i < rank; ++i) padded.push_back(1);
  for (const auto d : operand) padded.push_back(d);
  const Shape dims = memory_order(padded);
  for (int i = 0; i < rank; ++i) strides.push_back(0);
  std::int64_t step = 1;
  for (int i = rank - 1; i >= 0; --i) {
    if (dims[i] > 1) strides[i] = step;
    step *= dims[i];
  }
  return strides;
}

}  // namespace

// The state of one tile on its way through the instructions.
struct ElementwiseKernel::TileRun {
  std::int64_t index;
  Tile tile;
  const void* const* operands;
  RegisterTarget y;
  float* buffer;                 // for the value between instructions
  RegisterSource from = {};      // the value; none before a broadcast
  float* to;                     // where the next instruction writes it
  const float* first = nullptr;  // the pushed value
  TileBuffer second;             // the value that is computed while it is pushed
  TiledOperand operand;          // of an instruction: converted from bf16, or repeated along short rows
};

bool ElementwiseKernel::broadcasts(const Instruction& s) {
  return s.kind == ElementwiseOp::Kind::binary || s.kind == ElementwiseOp::Kind::broadcast;
}

std::optional<RegisterOp::Kind> ElementwiseKernel::register_op_of(const Instruction& s) {
  using Inline = role::Pointwise::Inline;
  if (s.kind == ElementwiseOp::Kind::broadcast) return RegisterOp::Kind::load;
  if (s.kind == ElementwiseOp::Kind::push) return RegisterOp::Kind::push;
  if (s.product) return RegisterOp::Kind::add_product;
  if (s.kind != ElementwiseOp::Kind::pointwise && s.binary.sum) return RegisterOp::Kind::add;
  if (s.kind != ElementwiseOp::Kind::pointwise && s.binary.product) return RegisterOp::Kind::multiply;
  if (s.pointwise.eltwise && s.pointwise.eltwise->kind == dnn::Eltwise::Kind::sigmoid) return RegisterOp::Kind::sigmoid;
  switch (s.pointwise.inlined) {
    case Inline::relu: return RegisterOp::Kind::relu;
    case Inline::leaky_relu: return RegisterOp::Kind::leaky_relu;
    case Inline::clip: return RegisterOp::Kind::clip;
    case Inline::scale: return RegisterOp::Kind::scale;
    case Inline::none: break;
  }
  return std::nullopt;
}

role::Binary sum_of_two() { return {.row = nullptr, .swapped = nullptr, .sum = true}; }

Shape memory_order(const Shape& s) { return s.rank() == 4 ? Shape{s[0], s[2], s[3], s[1]} : s; }

ElementwiseKernel::ElementwiseKernel(const ElementwiseOps& ops, const Shape& full, const std::vector<Operand>& operands, DType to,
                                     bool whole_positions)
    : from_(operands.front().type), to_(to) {
  const Shape dims = memory_order(full);
  std::vector<Shape> strides;
  const auto is_bf16 = [&](std::size_t operand) { return operands[operand].type == DType::bf16; };
  const auto add = [&](Instruction s, bool channels = false) {
    s.is_bf16 = s.kind != ElementwiseOp::Kind::pointwise && s.kind != ElementwiseOp::Kind::pop &&
                is_bf16(s.product ? s.product : s.operand);
    strides.push_back(broadcasts(s) ? broadcast_strides(operands[s.operand].shape, dims, channels) : Shape{});
    s.register_op = register_op_of(s);
    instructions_.push_back(std::move(s));
  };
  using Kind = ElementwiseOp::Kind;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    const ElementwiseOp& op = ops[i];
    if (is_sum_of_products(ops, i) && !is_bf16(ops[i + 1].operand)) {
      add({.kind = Kind::binary, .operand = ops[i + 1].operand, .product = op.operand});
      i += 2;
    } else if (op.kind == Kind::affine) {
      add({.kind = Kind::binary, .binary = {.row = nullptr, .swapped = nullptr, .product = true}, .operand = op.operand}, true);
      add({.kind = Kind::binary, .binary = sum_of_two(), .operand = op.shift}, true);
    } else {
      add({.kind = op.kind,
           .pointwise = op.pointwise,
           .binary = op.binary,
           .operand = op.kind == Kind::broadcast ? 0 : op.operand});
    }
  }
  set_tiling(dims, strides, whole_positions);
  form_groups();
}

void ElementwiseKernel::set_tiling(const Shape& full, const std::vector<Shape>& strides, bool whole_positions) {
  // Adjacent dimensions are merged where that gives every operand a single stride.
  std::vector<std::int64_t> dims;
  std::vector<std::vector<std::int64_t>> merged(instructions_.size());
  for (int i = 0; i < full.rank(); ++i) {
    const bool channel = whole_positions && i == full.rank() - 1;
    if (full[i] == 1 && !channel) continue;
    bool merges = !dims.empty() && !channel;
    for (std::size_t k = 0; k < instructions_.size() && merges; ++k)
      if (broadcasts(instructions_[k])) merges = merged[k].back() == strides[k][i] * full[i];
    if (!merges) dims.push_back(1);
    dims.back() *= full[i];
    for (std::size_t k = 0; k < instructions_.size(); ++k) {
      if (!broadcasts(instructions_[k])) continue;
      if (!merges) merged[k].push_back(0);
      merged[k].back() = strides[k][i];
    }
  }
  if (dims.empty()) dims.push_back(1);
  for (auto& m : merged) m.resize(dims.size());
  // A row longer than a tile is cut into elements; then a block has one position.
  const bool cut = !whole_positions && (dims.size() == 1 || dims.back() > kTile);
  const std::size_t outer = dims.size() - (cut || dims.size() == 1 ? 1 : 2);
  width_ = dims.back();
  positions_ = outer + 1 < dims.size() ? dims[outer] : 1;
  dims_.assign(dims.begin(), dims.begin() + static_cast<std::ptrdiff_t>(outer));
  for (const auto d : dims_) outer_ *= d;
  for (std::size_t k = 0; k < instructions_.size(); ++k) {
    instructions_[k].outer.assign(merged[k].begin(), merged[k].begin() + static_cast<std::ptrdiff_t>(outer));
    instructions_[k].element_stride = merged[k].back();
    instructions_[k].position_stride = outer + 1 < dims.size() ? merged[k][outer] : 0;
  }
  unit_ = cut ? 1 : width_;
  tile_units_ = std::clamp<std::int64_t>(kTile / unit_, 1, positions_ * width_ / unit_);
  tiles_per_block_ = (positions_ * width_ / unit_ + tile_units_ - 1) / tile_units_;
}

// Whether the operand broadcasts over several positions of fewer than kShortRow elements. It is repeated to a dense tile before the
// instruction runs in registers.
bool ElementwiseKernel::short_row(const Instruction& s) const {
  const bool map = (s.is_bf16 && !s.product) || (s.element_stride == 1 && s.position_stride == width_);
  return broadcasts(s) && !map && width_ < kShortRow && positions_ > 1;
}

// How many instructions from `begin` on must run in registers together or not at all: a push, its pop and all between, since the stack is
// in registers. 0: they cannot. At most one of them may have a short row, since a TileRun holds one repeated operand.
std::size_t ElementwiseKernel::group_size(std::size_t begin) const {
  if (!instructions_[begin].register_op || instructions_[begin].kind != ElementwiseOp::Kind::push)
    return instructions_[begin].register_op ? 1 : 0;
  int repeatable = 1;
  for (std::size_t i = begin + 1; i < instructions_.size() && i < begin + kMaxGroup && instructions_[i].register_op; ++i) {
    if (short_row(instructions_[i]) && --repeatable < 0) return 0;
    if (instructions_[i].kind == ElementwiseOp::Kind::pop) return i + 1 - begin;
  }
  return 0;
}

// Whether a group of this instruction alone is faster as the op's own loop over the tile.
bool ElementwiseKernel::prefers_tile(const Instruction& s) const {
  const bool own = s.kind == ElementwiseOp::Kind::pointwise || s.binary.row;
  return own && !s.is_bf16 && !short_row(s) && from_ == DType::f32 && to_ == DType::f32;
}

void ElementwiseKernel::form_groups() {
  for (std::size_t i = 0; i < instructions_.size();) {
    Instruction& first = instructions_[i];
    std::int64_t repeatable = 1;
    for (std::size_t more = 0; i < instructions_.size(); i += more) {
      more = group_size(i);
      const auto begin = instructions_.begin() + static_cast<std::ptrdiff_t>(i), end = begin + static_cast<std::ptrdiff_t>(more);
      repeatable -= std::count_if(begin, end, [&](const Instruction& s) { return short_row(s); });
      if (more == 0 || first.group + more > kMaxGroup || repeatable < 0) break;
      first.group += more;
      if (more > 1)
        std::prev(end)->register_op = std::prev(end)->binary.sum ? RegisterOp::Kind::pop_add : RegisterOp::Kind::pop_multiply;
    }
    if (first.group == 1 && prefers_tile(first)) first.group = 0;
    else if (first.group == 0) ++i;
  }
}

ElementwiseKernel::Tile ElementwiseKernel::tile(std::int64_t i) const {
  const std::int64_t at = i % tiles_per_block_ * tile_units_;
  return {i / tiles_per_block_ * positions_ * width_ + at * unit_,
          std::min(tile_units_, positions_ * width_ / unit_ - at) * unit_};
}

// The tile of an operand of the full shape.
RegisterSource ElementwiseKernel::tile_of(const TileRun& f, const void* map, bool is_bf16) const {
  if (is_bf16) return {RegisterSource::Form::bf16, static_cast<const bf16*>(map) + f.tile.first, width_};
  return {RegisterSource::Form::f32, static_cast<const float*>(map) + f.tile.first, width_};
}

// The part of a broadcast operand that belongs to the tile.
RegisterSource ElementwiseKernel::broadcast_operand(const TileRun& f, const Instruction& s) const {
  const std::int64_t within = f.tile.first % (positions_ * width_);
  std::int64_t rest = f.index / tiles_per_block_,
               offset = within / width_ * s.position_stride + within % width_ * s.element_stride;
  for (std::size_t d = dims_.size(); d-- > 0; rest /= dims_[d]) offset += rest % dims_[d] * s.outer[d];
  return {s.element_stride ? RegisterSource::Form::f32 : RegisterSource::Form::scalar,
          static_cast<const float*>(f.operands[s.operand]) + offset, s.position_stride};
}

RegisterOp ElementwiseKernel::resolve(TileRun& f, const Instruction& s) const {
  RegisterOp a{*s.register_op, {}, {}, s.pointwise.a, s.pointwise.b};
  if (s.kind == ElementwiseOp::Kind::push) a.m = tile_of(f, f.operands[s.operand], s.is_bf16);
  else if (s.kind == ElementwiseOp::Kind::pop) a.g = {RegisterSource::Form::f32, f.first, width_};
  else if (broadcasts(s)) a.g = s.is_bf16 && !s.product ? tile_of(f, f.operands[s.operand], true) : broadcast_operand(f, s);
  if (s.product) a.m = tile_of(f, f.operands[s.product], s.is_bf16);
  if (short_row(s)) a.g = {RegisterSource::Form::f32, tiled(f.operand, a.g, f.tile.size / width_, width_), width_};
  return a;
}

void ElementwiseKernel::run_in_registers(TileRun& f, std::size_t begin, std::size_t count) const {
  std::array<RegisterOp, kMaxGroup> ops;
  for (std::size_t i = 0; i < count; ++i) {
    const Instruction& s = instructions_[begin + i];
    ops[i] = resolve(f, s);
    if (s.kind == ElementwiseOp::Kind::pop) f.to = f.buffer;
  }
  const RegisterTarget y = begin + count == instructions_.size() ? f.y : RegisterTarget{f.to, false};
  const std::int64_t width = width_ < kShortRow ? f.tile.size : std::min(f.tile.size, width_);
  apply_in_registers(y, f.from, {ops.data(), count}, f.tile.size / width, width);
  f.from = {RegisterSource::Form::f32, y.at, width_};
}

void ElementwiseKernel::run_on_tile(TileRun& f, const Instruction& s) const {
  const std::int64_t size = f.tile.size, width = std::min(size, width_);
  const auto as_f32 = [&](const RegisterSource& x, float* to) {
    if (x.form != RegisterSource::Form::bf16) return static_cast<const float*>(x.at);
    bf16_to_f32(to, static_cast<const bf16*>(x.at), size);
    return static_cast<const float*>(to);
  };
  const float* from = as_f32(f.from, f.to);
  if (s.kind == ElementwiseOp::Kind::push) {
    f.first = from, f.from = tile_of(f, f.operands[s.operand], s.is_bf16), f.to = f.second.data();
    return;
  }
  if (s.kind == ElementwiseOp::Kind::pointwise) s.pointwise.row(f.to, from, size, s.pointwise.a, s.pointwise.b);
  else if (s.kind == ElementwiseOp::Kind::pop) s.binary.row(f.to = f.buffer, f.first, from, {1, size, 0, 1});
  else
    s.binary.row(f.to, from,
                 as_f32(s.is_bf16 ? tile_of(f, f.operands[s.operand], true) : broadcast_operand(f, s), f.operand.data()),
                 {size / width, width, s.position_stride, s.element_stride});
  f.from = {RegisterSource::Form::f32, f.to, width_};
}

void ElementwiseKernel::run(std::int64_t index, float* buffer, const RegisterTarget& y, const void* x,
                            const void* const* operands) const {
  TileRun f;
  f.index = index, f.tile = tile(index), f.operands = operands, f.y = y, f.buffer = f.to = buffer;
  if (instructions_.empty() || instructions_.front().kind != ElementwiseOp::Kind::broadcast)
    f.from = tile_of(f, x, from_ == DType::bf16);
  for (std::size_t i = 0; i < instructions_.size(); i += std::max<std::size_t>(1, instructions_[i].group)) {
    if (instructions_[i].group) run_in_registers(f, i, instructions_[i].group);
    else run_on_tile(f, instructions_[i]);
  }
  if (f.from.at != y.at) apply_in_registers(y, f.from, {}, 1, f.tile.size);
}

void ElementwiseKernel::run(std::int64_t index, float* out, const void* x, const void* const* operands) const {
  run(index, out, {out, false}, x, operands);
}

void ElementwiseKernel::run(void* y, const void* x, const void* const* operands) const {
  parallel_for(tiles(), 4, [&](std::int64_t begin, std::int64_t end) {
    TileBuffer buffer;
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = tile(i).first;
      if (to_ == DType::f32) run(i, static_cast<float*>(y) + first, x, operands);
      else run(i, buffer.data(), {static_cast<bf16*>(y) + first, true}, x, operands);
    }
  });
}

}  // namespace fovea::plan
