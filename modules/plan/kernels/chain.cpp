#include "modules/plan/kernels/chain.hpp"

#include <algorithm>

#include "modules/core/simd.hpp"
#include "modules/core/threads.hpp"
#include "modules/plan/kernels/convert.hpp"

namespace fovea::plan {
namespace {

template <class F>
FOVEA_INLINE void by_channel(float* y, const float* x, const float* g, const PlaceRow& r, const F& f) {
  for (std::int64_t p = 0; p < r.places; ++p, y += r.width, x += r.width, g += r.sp)
    for (std::int64_t i = 0; i < r.width; ++i) y[i] = f(x[i], g[i * r.su]);
}

// x * scale + shift of a norm as two steps: the tile is in cache.
FOVEA_SIMD void times(float* y, const float* x, const float* g, const PlaceRow& r) {
  by_channel(
      y, x, g, r, [](float a, float b) __attribute__((always_inline)) { return a * b; });
}
FOVEA_SIMD void plus(float* y, const float* x, const float* g, const PlaceRow& r) {
  by_channel(
      y, x, g, r, [](float a, float b) __attribute__((always_inline)) { return a + b; });
}

// y = first + x * g: a chain beside another that is one product, and its join, as one step.
FOVEA_SIMD void add_products(float* y, const float* first, const float* x, const float* g, const PlaceRow& r) {
  for (std::int64_t p = 0; p < r.places; ++p, y += r.width, first += r.width, x += r.width, g += r.sp) {
    if (r.su) {
      for (std::int64_t i = 0; i < r.width; ++i) y[i] = first[i] + x[i] * g[i];
    } else {
      const float one = *g;
      for (std::int64_t i = 0; i < r.width; ++i) y[i] = first[i] + x[i] * one;
    }
  }
}

void repeat(float* y, const float*, const float* g, const PlaceRow& r) {
  for (std::int64_t p = 0; p < r.places; ++p, y += r.width, g += r.sp) {
    if (r.su) std::copy_n(g, r.width, y);
    else std::fill_n(y, r.width, *g);
  }
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

bool Chain::reads(const Step& s) { return s.kind == Link::Kind::binary || s.product; }

role::Binary sum_of_two() { return {.row = plus, .swapped = plus, .sum = true}; }

Shape memory_order(const Shape& s) { return s.rank() == 4 ? Shape{s[0], s[2], s[3], s[1]} : s; }

Chain::Chain(const Links& links, const Shape& full, const std::vector<Operand>& operands, DType to, bool whole_places)
    : from_(operands.front().type), to_(to) {
  const Shape lies = memory_order(full);
  spreads_ = !links.empty() && links.front().kind == Link::Kind::spread;
  std::vector<Shape> strides;
  const auto narrow = [&](std::size_t operand) { return operands[operand].type == DType::bf16; };
  const auto add = [&](role::Binary::Row row, std::size_t operand, bool channels) {
    steps_.push_back({.kind = Link::Kind::binary, .row = row, .operand = operand, .narrow = narrow(operand)});
    strides.push_back(spread_strides(operands[operand].shape, lies, channels));
  };
  for (std::size_t i = 0; i < links.size(); ++i) {
    const Link& l = links[i];
    if (is_sum_of_products(links, i) && !narrow(links[i + 1].operand)) {
      add(nullptr, links[i + 1].operand, false);
      steps_.back().kind = Link::Kind::back, steps_.back().product = l.operand, steps_.back().narrow = narrow(l.operand);
      i += 2;
    } else if (l.kind == Link::Kind::aside) {
      steps_.push_back({.kind = l.kind, .operand = l.operand, .narrow = narrow(l.operand)}), strides.emplace_back();
    } else if (l.kind == Link::Kind::affine) add(times, l.operand, true), add(plus, l.shift, true);
    else if (l.kind == Link::Kind::spread) add(repeat, 0, false);
    else if (l.kind == Link::Kind::binary) add(l.binary.row, l.operand, false);
    else steps_.push_back({.kind = l.kind, .pointwise = l.pointwise, .row = l.binary.row}), strides.emplace_back();
  }
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
  // A row longer than a tile is cut; then there are no places side by side.
  const bool cut = !whole_places && (dims.size() == 1 || dims.back() > kTile);
  const std::size_t outer = dims.size() - (cut || dims.size() == 1 ? 1 : 2);
  width_ = dims.back();
  places_ = outer + 1 < dims.size() ? dims[outer] : 1;
  dims_.assign(dims.begin(), dims.begin() + static_cast<std::ptrdiff_t>(outer));
  for (const auto d : dims_) outer_ *= d;
  for (std::size_t k = 0; k < steps_.size(); ++k) {
    steps_[k].outer.assign(merged[k].begin(), merged[k].begin() + static_cast<std::ptrdiff_t>(outer));
    steps_[k].su = merged[k].back();
    steps_[k].sp = outer + 1 < dims.size() ? merged[k][outer] : 0;
  }
  unit_ = cut ? 1 : width_;
  piece_ = std::clamp<std::int64_t>(kTile / unit_, 1, places_ * width_ / unit_);
  pieces_ = (places_ * width_ / unit_ + piece_ - 1) / piece_;
}

Chain::Tile Chain::tile(std::int64_t i) const {
  const std::int64_t at = i % pieces_ * piece_;
  return {i / pieces_ * places_ * width_ + at * unit_, std::min(piece_, places_ * width_ / unit_ - at) * unit_};
}

// The tile of an operand of the full shape; `room` takes it where it is bf16.
const float* Chain::whole(const Step& s, const Tile& t, const void* operand, float* room) const {
  if (!s.narrow) return static_cast<const float*>(operand) + t.first;
  widen(room, static_cast<const bf16*>(operand) + t.first, t.size);
  return room;
}

// Where a tile's part of an operand begins that is spread over the map.
const float* Chain::spread(const Step& s, std::int64_t index, const void* operand) const {
  const std::int64_t within = tile(index).first % (places_ * width_);
  std::int64_t rest = index / pieces_, offset = within / width_ * s.sp + within % width_ * s.su;
  for (std::size_t d = dims_.size(); d-- > 0; rest /= dims_[d]) offset += rest % dims_[d] * s.outer[d];
  return static_cast<const float*>(operand) + offset;
}

void Chain::run(std::int64_t index, float* out, const void* x, const void* const* operands) const {
  const Tile t = tile(index);
  const std::int64_t width = t.size < width_ ? t.size : width_;
  std::array<float, kTile> second, wide;
  const float *from = out, *first = nullptr;
  float* to = out;
  if (!spreads_ && from_ == DType::bf16) widen(out, static_cast<const bf16*>(x) + t.first, t.size);
  else if (!spreads_) from = static_cast<const float*>(x) + t.first;
  for (const Step& s : steps_) {
    const PlaceRow row{t.size / width, width, s.sp, s.su};
    if (s.kind == Link::Kind::aside) {
      first = from, from = whole(s, t, operands[s.operand], second.data()), to = second.data();
      continue;
    }
    if (s.kind == Link::Kind::pointwise) s.pointwise.row(to, from, t.size, s.pointwise.a, s.pointwise.b);
    else if (s.product)
      add_products(to, from, whole(s, t, operands[s.product], wide.data()), spread(s, index, operands[s.operand]), row);
    else if (s.kind == Link::Kind::back) s.row(to = out, first, from, {1, t.size, 0, 1});
    else s.row(to, from, s.narrow ? whole(s, t, operands[s.operand], wide.data()) : spread(s, index, operands[s.operand]), row);
    from = to;
  }
  if (from != out) std::copy_n(from, t.size, out);
}

void Chain::run(void* y, const void* x, const void* const* operands) const {
  parallel_for(tiles(), 4, [&](std::int64_t begin, std::int64_t end) {
    std::array<float, kTile> wide;
    for (std::int64_t i = begin; i < end; ++i) {
      const Tile t = tile(i);
      if (to_ == DType::f32) {
        run(i, static_cast<float*>(y) + t.first, x, operands);
        continue;
      }
      run(i, wide.data(), x, operands);
      narrow(static_cast<bf16*>(y) + t.first, wide.data(), t.size);
    }
  });
}

}  // namespace fovea::plan
