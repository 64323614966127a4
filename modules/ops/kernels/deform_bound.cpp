#include "modules/ops/kernels/deform_bound.hpp"

#include "modules/core/dnnl_matmul.hpp"
#include "modules/core/threads.hpp"
#include "modules/ops/kernels/deform_rows.hpp"

namespace fovea::kernels {
namespace {

using Value = role::Computation::Value;
using Product = std::shared_ptr<const dnn::PreparedMatmul>;

FOVEA_SIMD void add_bias(float* y, const float* bias, std::int64_t rows, std::int64_t n) {
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t i = 0; i < n; ++i) y[r * n + i] += bias[i];
}

class Planned {
 public:
  Planned(const DeformGeometry& g, const std::vector<Value>& in, const Value& out)
      : g_(g),
        weight_(in[3]),
        outputs_(out.shape[1]),
        per_group_(g.channels / g.o.groups),
        positions_(out.shape[0] * g.out_height * g.out_width),
        tile_(std::min(positions_, deform_tile(g))),
        runs_(deform_runs(g.channels, g.o.groups, g.o.deform_groups, g.channels)),
        whole_(product(tile_)),
        rest_(positions_ % tile_ ? product(positions_ % tile_) : whole_) {}

  bool fits() const { return whole_ && rest_; }
  std::int64_t workspace() const {
    return scratchpad() + floats(std::max(whole_->scratchpad_bytes(), rest_->scratchpad_bytes()));
  }

  void run(const float* const* in, float* y, float* room) const {
    auto* samples = reinterpret_cast<DeformSample<float>*>(room);
    float *columns = room + columns_at(), *weight = room + weight_at();
    order(in[3], weight);
    for (std::int64_t first = 0; first < positions_; first += tile_) {
      const DeformTile<float> t{samples, std::min(tile_, positions_ - first), g_.taps(), g_.samples(), g_.channels, per_group_};
      parallel_for(t.positions, kDeformGrain, [&](std::int64_t begin, std::int64_t end) {
        deform_samples(g_, in[1], in[2], first + begin, first + end, samples + begin * g_.samples());
        for (const DeformRun& r : runs_) read_columns(columns, in[0], t, r, begin, end);
      });
      float* to = y + first * outputs_;
      (t.positions == tile_ ? whole_ : rest_)->run(columns, weight, to, room + scratchpad());
      if (in[4]) add_bias(to, in[4], t.positions, outputs_);
    }
  }

 private:
  static std::int64_t floats(std::size_t bytes) { return static_cast<std::int64_t>((bytes + 63) / 64 * 16); }
  // Of the workspace: samples, columns, the weight in the product's order, the product's scratchpad.
  std::int64_t columns_at() const { return floats(static_cast<std::size_t>(tile_ * g_.samples()) * sizeof(DeformSample<float>)); }
  std::int64_t weight_at() const {
    return columns_at() + floats(static_cast<std::size_t>(tile_ * g_.taps() * g_.channels) * sizeof(float));
  }
  std::int64_t scratchpad() const {
    return weight_at() + floats(static_cast<std::size_t>(g_.taps() * per_group_ * outputs_) * sizeof(float));
  }

  // Positions x (taps and channels of a group) times that x outputs of the group, for each group.
  Product product(std::int64_t positions) const {
    const std::int64_t groups = g_.o.groups, in = g_.taps() * per_group_, out = outputs_ / groups;
    if (groups == 1)
      return dnn::PreparedMatmul::make({{positions, in}, {in, 1}}, {{in, out}, {out, 1}}, {{positions, out}, {out, 1}});
    return dnn::PreparedMatmul::make({{groups, positions, in}, {positions * in, in, 1}}, {{groups, in, out}, {in * out, out, 1}},
                                     {{groups, positions, out}, {out, outputs_, 1}});
  }

  void order(const float* w, float* to) const {
    const Shape& step = weight_.strides;
    const std::int64_t out = outputs_ / g_.o.groups;
    parallel_for(g_.o.groups * g_.taps(), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t group = i / g_.taps(), tap = i % g_.taps();
        const float* from = w + group * out * step[0] + tap / g_.kernel_width * step[2] + tap % g_.kernel_width * step[3];
        for (std::int64_t c = 0; c < per_group_; ++c)
          for (std::int64_t o = 0; o < out; ++o) to[(i * per_group_ + c) * out + o] = from[o * step[0] + c * step[1]];
      }
    });
  }

  DeformGeometry g_;
  Value weight_;
  std::int64_t outputs_, per_group_, positions_, tile_;
  std::vector<DeformRun> runs_;
  Product whole_, rest_;  // of a tile's positions, of those that are left for the last
};

}  // namespace

std::optional<role::Computation::Bound> deform_bound(const DeformGeometry& g, const std::vector<Value>& in, const Value& out) {
  const Planned planned(g, in, out);
  if (!planned.fits()) return std::nullopt;
  return role::Computation::Bound{[planned](auto* x, auto* y, float* room) { planned.run(x, y[0], room); }, planned.workspace()};
}

}  // namespace fovea::kernels
