#include "modules/plan/kernels/chain.hpp"

#include <algorithm>

#include "modules/core/threads.hpp"
#include "modules/plan/kernels/convert.hpp"

namespace fovea::plan {
namespace {

// A room for a tile behind whose end a short row may be written.
struct alignas(64) Repeated : std::array<float, Chain::kTile + kShortRow> {};

// An operand that is spread over positions of a short row, as a map.
const float* repeated(Repeated& room, const Source& s, std::int64_t positions, std::int64_t width) {
  const auto* g = static_cast<const float*>(s.at);
  float* y = room.data();
  if (s.form == Source::Form::wide && s.step == 0) {  // the same for all positions: what there is already is repeated
    std::copy_n(g, width, y);
    for (std::int64_t have = width; have < positions * width; have *= 2)
      std::copy_n(y, std::min(have, positions * width - have), y + have);
    return room.data();
  }
  for (std::int64_t p = 0; p < positions; ++p, y += width, g += s.step) {
    if (s.form == Source::Form::one) std::fill_n(y, kShortRow, *g);  // the next place writes over the rest
    else std::copy_n(g, width, y);
  }
  return room.data();
}

// Whether from link `i` on the chain adds the product of a map and something that is spread over it.
bool is_sum_of_products(const Links& links, std::size_t i) {
  return i + 2 < links.size() && links[i].kind == Link::Kind::aside && links[i + 1].kind == Link::Kind::binary &&
         links[i + 1].binary.product && links[i + 2].kind == Link::Kind::back && links[i + 2].binary.sum;
}

// Strides of an operand along the dimensions of `full`, both in memory order: 0 where it is spread. Per-channel values (rank 1) of an
// affine link lie along the channels.
Shape spread_strides(const Shape& operand, const Shape& full, bool channels) {
  Shape strides;
  const int rank = full.rank();
  if (channels) {
    for (int i = 0; i < rank; ++i) strides.push_back(i == rank - 1 && full[i] > 1 ? 1 : 0);
    return strides;
  }
  Shape padded;  // aligned at the last dimension, as NumPy does
  for (int i = operand.rank(); i < rank; ++i) padded.push_back(1);
  for (const auto d : operand) padded.push_back(d);
  const Shape lies = memory_order(padded);
  for (int i = 0; i < rank; ++i) strides.push_back(0);
  std::int64_t step = 1;
  for (int i = rank - 1; i >= 0; --i) {
    if (lies[i] > 1) strides[i] = step;
    step *= lies[i];
  }
  return strides;
}

}  // namespace

// What goes through the steps of one tile.
struct Chain::Flow {
  std::int64_t index;
  Tile tile;
  const void* const* operands;
  Target y;
  float* room;                   // for the value between steps
  Source from = {};              // the value; nowhere before a spread link
  float* to;                     // where a step puts it
  const float* first = nullptr;  // the value that was put aside
  Room second;                   // what is beside it
  Repeated wide;                 // an operand that was bf16 or cramped
};

bool Chain::reads(const Step& s) { return s.kind == Link::Kind::binary || s.kind == Link::Kind::spread; }

std::optional<Action::Kind> Chain::action_of(const Step& s) {
  using Plain = role::Pointwise::Plain;
  if (s.kind == Link::Kind::spread) return Action::Kind::fetch;
  if (s.kind == Link::Kind::aside) return Action::Kind::aside;
  if (s.product) return Action::Kind::add_product;
  if (s.kind != Link::Kind::pointwise && s.binary.sum) return Action::Kind::add;
  if (s.kind != Link::Kind::pointwise && s.binary.product) return Action::Kind::multiply;
  if (s.pointwise.eltwise && s.pointwise.eltwise->kind == dnn::Eltwise::Kind::sigmoid) return Action::Kind::sigmoid;
  switch (s.pointwise.plain) {
    case Plain::relu: return Action::Kind::relu;
    case Plain::leaky_relu: return Action::Kind::leaky_relu;
    case Plain::clip: return Action::Kind::clip;
    case Plain::scale: return Action::Kind::scale;
    case Plain::no: break;
  }
  return std::nullopt;
}

role::Binary sum_of_two() { return {.row = nullptr, .swapped = nullptr, .sum = true}; }

Shape memory_order(const Shape& s) { return s.rank() == 4 ? Shape{s[0], s[2], s[3], s[1]} : s; }

Chain::Chain(const Links& links, const Shape& full, const std::vector<Operand>& operands, DType to, bool whole_places)
    : from_(operands.front().type), to_(to) {
  const Shape lies = memory_order(full);
  std::vector<Shape> strides;
  const auto narrow = [&](std::size_t operand) { return operands[operand].type == DType::bf16; };
  const auto add = [&](Step s, bool channels = false) {
    s.narrow = s.kind != Link::Kind::pointwise && s.kind != Link::Kind::back && narrow(s.product ? s.product : s.operand);
    strides.push_back(reads(s) ? spread_strides(operands[s.operand].shape, lies, channels) : Shape{});
    s.registers = action_of(s);
    steps_.push_back(std::move(s));
  };
  using Kind = Link::Kind;
  for (std::size_t i = 0; i < links.size(); ++i) {
    const Link& l = links[i];
    if (is_sum_of_products(links, i) && !narrow(links[i + 1].operand)) {
      add({.kind = Kind::binary, .operand = links[i + 1].operand, .product = l.operand});
      i += 2;
    } else if (l.kind == Kind::affine) {
      add({.kind = Kind::binary, .binary = {.row = nullptr, .swapped = nullptr, .product = true}, .operand = l.operand}, true);
      add({.kind = Kind::binary, .binary = sum_of_two(), .operand = l.shift}, true);
    } else {
      add({.kind = l.kind, .pointwise = l.pointwise, .binary = l.binary, .operand = l.kind == Kind::spread ? 0 : l.operand});
    }
  }
  lay_out(lies, strides, whole_places);
  group();
}

void Chain::lay_out(const Shape& lies, const std::vector<Shape>& strides, bool whole_places) {
  // Neighbouring dimensions become one where no operand tells them apart.
  std::vector<std::int64_t> dims;
  std::vector<std::vector<std::int64_t>> merged(steps_.size());
  for (int i = 0; i < lies.rank(); ++i) {
    const bool channel = whole_places && i == lies.rank() - 1;
    if (lies[i] == 1 && !channel) continue;
    bool joins = !dims.empty() && !channel;
    for (std::size_t k = 0; k < steps_.size() && joins; ++k)
      if (reads(steps_[k])) joins = merged[k].back() == strides[k][i] * lies[i];
    if (!joins) dims.push_back(1);
    dims.back() *= lies[i];
    for (std::size_t k = 0; k < steps_.size(); ++k) {
      if (!reads(steps_[k])) continue;
      if (!joins) merged[k].push_back(0);
      merged[k].back() = strides[k][i];
    }
  }
  if (dims.empty()) dims.push_back(1);
  for (auto& m : merged) m.resize(dims.size());
  // A row longer than a tile is cut; then there are no positions side by side.
  const bool cut = !whole_places && (dims.size() == 1 || dims.back() > kTile);
  const std::size_t outer = dims.size() - (cut || dims.size() == 1 ? 1 : 2);
  width_ = dims.back();
  positions_ = outer + 1 < dims.size() ? dims[outer] : 1;
  dims_.assign(dims.begin(), dims.begin() + static_cast<std::ptrdiff_t>(outer));
  for (const auto d : dims_) outer_ *= d;
  for (std::size_t k = 0; k < steps_.size(); ++k) {
    steps_[k].outer.assign(merged[k].begin(), merged[k].begin() + static_cast<std::ptrdiff_t>(outer));
    steps_[k].su = merged[k].back();
    steps_[k].sp = outer + 1 < dims.size() ? merged[k][outer] : 0;
  }
  unit_ = cut ? 1 : width_;
  piece_ = std::clamp<std::int64_t>(kTile / unit_, 1, positions_ * width_ / unit_);
  pieces_ = (positions_ * width_ / unit_ + piece_ - 1) / piece_;
}

// Whether a step reads an operand that is spread over positions of few neighbours. Registers take it as a map.
bool Chain::cramped(const Step& s) const {
  const bool map = (s.narrow && !s.product) || (s.su == 1 && s.sp == width_);
  return reads(s) && !map && width_ < kShortRow && positions_ > 1;
}

// How many steps from `begin` on run in registers together or not at all: a chain beside another does, since a value that is put away
// there comes back there. 0: none. There is room for one cramped operand.
std::size_t Chain::inseparable(std::size_t begin) const {
  if (!steps_[begin].registers || steps_[begin].kind != Link::Kind::aside) return steps_[begin].registers ? 1 : 0;
  int rooms = 1;
  for (std::size_t i = begin + 1; i < steps_.size() && i < begin + kTogether && steps_[i].registers; ++i) {
    if (cramped(steps_[i]) && --rooms < 0) return 0;
    if (steps_[i].kind == Link::Kind::back) return i + 1 - begin;
  }
  return 0;
}

// Whether a step that nothing stands beside is as fast by its own loop over the tile, which has less to decide.
bool Chain::quick_on_tile(const Step& s) const {
  const bool own = s.kind == Link::Kind::pointwise || s.binary.row;
  return own && !s.narrow && !cramped(s) && from_ == DType::f32 && to_ == DType::f32;
}

void Chain::group() {
  for (std::size_t i = 0; i < steps_.size();) {
    Step& first = steps_[i];
    std::int64_t rooms = 1;
    for (std::size_t more = 0; i < steps_.size(); i += more) {
      more = inseparable(i);
      const auto begin = steps_.begin() + static_cast<std::ptrdiff_t>(i), end = begin + static_cast<std::ptrdiff_t>(more);
      rooms -= std::count_if(begin, end, [&](const Step& s) { return cramped(s); });
      if (more == 0 || first.together + more > kTogether || rooms < 0) break;
      first.together += more;
      if (more > 1) std::prev(end)->registers = std::prev(end)->binary.sum ? Action::Kind::back_sum : Action::Kind::back_product;
    }
    if (first.together == 1 && quick_on_tile(first)) first.together = 0;
    else if (first.together == 0) ++i;
  }
}

Chain::Tile Chain::tile(std::int64_t i) const {
  const std::int64_t at = i % pieces_ * piece_;
  return {i / pieces_ * positions_ * width_ + at * unit_, std::min(piece_, positions_ * width_ / unit_ - at) * unit_};
}

// The tile of a map of the full shape.
Source Chain::whole(const Flow& f, const void* map, bool narrow) const {
  if (narrow) return {Source::Form::narrow, static_cast<const bf16*>(map) + f.tile.first, width_};
  return {Source::Form::wide, static_cast<const float*>(map) + f.tile.first, width_};
}

// A tile's part of an operand that is spread over the map.
Source Chain::spread(const Flow& f, const Step& s) const {
  const std::int64_t within = f.tile.first % (positions_ * width_);
  std::int64_t rest = f.index / pieces_, offset = within / width_ * s.sp + within % width_ * s.su;
  for (std::size_t d = dims_.size(); d-- > 0; rest /= dims_[d]) offset += rest % dims_[d] * s.outer[d];
  return {s.su ? Source::Form::wide : Source::Form::one, static_cast<const float*>(f.operands[s.operand]) + offset, s.sp};
}

Action Chain::action(Flow& f, const Step& s) const {
  Action a{*s.registers, {}, {}, s.pointwise.a, s.pointwise.b};
  if (s.kind == Link::Kind::aside) a.m = whole(f, f.operands[s.operand], s.narrow);
  else if (s.kind == Link::Kind::back) a.g = {Source::Form::wide, f.first, width_};
  else if (reads(s)) a.g = s.narrow && !s.product ? whole(f, f.operands[s.operand], true) : spread(f, s);
  if (s.product) a.m = whole(f, f.operands[s.product], s.narrow);
  if (cramped(s)) a.g = {Source::Form::wide, repeated(f.wide, a.g, f.tile.size / width_, width_), width_};
  return a;
}

void Chain::in_registers(Flow& f, std::size_t begin, std::size_t count) const {
  std::array<Action, kTogether> actions;
  for (std::size_t i = 0; i < count; ++i) {
    const Step& s = steps_[begin + i];
    actions[i] = action(f, s);
    if (s.kind == Link::Kind::back) f.to = f.room;
  }
  const Target y = begin + count == steps_.size() ? f.y : Target{f.to, false};
  const std::int64_t width = width_ < kShortRow ? f.tile.size : std::min(f.tile.size, width_);
  run_stretches(y, f.from, {actions.data(), count}, f.tile.size / width, width);
  f.from = {Source::Form::wide, y.at, width_};
}

void Chain::on_tile(Flow& f, const Step& s) const {
  const std::int64_t size = f.tile.size, width = std::min(size, width_);
  const auto wide = [&](const Source& x, float* room) {
    if (x.form != Source::Form::narrow) return static_cast<const float*>(x.at);
    widen(room, static_cast<const bf16*>(x.at), size);
    return static_cast<const float*>(room);
  };
  const float* from = wide(f.from, f.to);
  if (s.kind == Link::Kind::aside) {
    f.first = from, f.from = whole(f, f.operands[s.operand], s.narrow), f.to = f.second.data();
    return;
  }
  if (s.kind == Link::Kind::pointwise) s.pointwise.row(f.to, from, size, s.pointwise.a, s.pointwise.b);
  else if (s.kind == Link::Kind::back) s.binary.row(f.to = f.room, f.first, from, {1, size, 0, 1});
  else
    s.binary.row(f.to, from, wide(s.narrow ? whole(f, f.operands[s.operand], true) : spread(f, s), f.wide.data()),
                 {size / width, width, s.sp, s.su});
  f.from = {Source::Form::wide, f.to, width_};
}

void Chain::run(std::int64_t index, float* room, const Target& y, const void* x, const void* const* operands) const {
  Flow f;
  f.index = index, f.tile = tile(index), f.operands = operands, f.y = y, f.room = f.to = room;
  if (steps_.empty() || steps_.front().kind != Link::Kind::spread) f.from = whole(f, x, from_ == DType::bf16);
  for (std::size_t i = 0; i < steps_.size(); i += std::max<std::size_t>(1, steps_[i].together)) {
    if (steps_[i].together) in_registers(f, i, steps_[i].together);
    else on_tile(f, steps_[i]);
  }
  if (f.from.at != y.at) run_stretches(y, f.from, {}, 1, f.tile.size);
}

void Chain::run(std::int64_t index, float* out, const void* x, const void* const* operands) const {
  run(index, out, {out, false}, x, operands);
}

void Chain::run(void* y, const void* x, const void* const* operands) const {
  parallel_for(tiles(), 4, [&](std::int64_t begin, std::int64_t end) {
    Room room;
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = tile(i).first;
      if (to_ == DType::f32) run(i, static_cast<float*>(y) + first, x, operands);
      else run(i, room.data(), {static_cast<bf16*>(y) + first, true}, x, operands);
    }
  });
}

}  // namespace fovea::plan
