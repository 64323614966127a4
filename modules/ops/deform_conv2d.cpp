#include "modules/ops/deform_conv2d.hpp"

#include <cstring>
#include <optional>

#include "modules/autograd/apply.hpp"
#include "modules/core/accumulate.hpp"
#include "modules/core/dnnl.hpp"
#include "modules/core/reduce.hpp"
#include "modules/core/threads.hpp"
#include "modules/ops/deform_conv2d_naive.hpp"
#include "modules/ops/kernels/deform_bound.hpp"
#include "modules/ops/kernels/deform_rows.hpp"

namespace fovea {
namespace {

using kernels::DeformGeometry;
using kernels::DeformRun;
using kernels::DeformSample;
using kernels::DeformTile;

Tensor map(const Tensor& t, DType type) { return t.defined() ? t.to(type).contiguous(Layout::channels_last) : t; }
Tensor wide(const Tensor& t) { return t.dtype() == DType::bf16 ? t.to(DType::f32) : t; }

// A dense channels-last map as its positions x channels.
Tensor rows_of(const Tensor& t) { return t.permute({0, 2, 3, 1}).reshape({t.dim(0) * t.dim(2) * t.dim(3), t.dim(1)}); }

// (rows, G x n) as G matrices of n columns; one group stays a plain matrix.
Tensor by_group(const Tensor& rows, std::int64_t groups) {
  if (groups == 1) return rows;
  return rows.reshape({rows.dim(0), groups, rows.dim(1) / groups}).permute({1, 0, 2});
}
Tensor swap_last(const Tensor& t) { return t.rank() == 2 ? t.permute({1, 0}) : t.permute({0, 2, 1}); }

// Deformable convolution in tiles of output positions: columns are read, then multiplied by the weight in one matrix product. The
// tile bounds the columns' memory to a part of the second-level cache and does not depend on the thread count.
template <class T>
class Tiles {
 public:
  using C = compute_t<T>;

  Tiles(const DeformGeometry& g, const Tensor& x, const Tensor& offset, const Tensor& mask, const Tensor& weight)
      : g_(g), x_(x), offset_(offset), mask_(mask), groups_(g.o.groups), per_group_(g.channels / g.o.groups) {
    const std::int64_t out = weight.dim(0), taps = g.taps();
    const Tensor split = weight.to(x.dtype()).reshape({groups_, out / groups_, per_group_, taps});
    const Tensor ordered = split.permute({0, 3, 2, 1}).contiguous(Layout::row_major);
    weight_ =
        groups_ == 1 ? ordered.reshape({taps * per_group_, out}) : ordered.reshape({groups_, taps * per_group_, out / groups_});
    runs_ = kernels::deform_runs(g.channels, groups_, g.o.deform_groups, g.channels);
    positions_ = x.dim(0) * g.out_height * g.out_width;
    tile_ = kernels::deform_tile(g);
  }

  // False where there is no fast matrix product.
  bool forward(Tensor& y, const Tensor& bias) {
    const Tensor rows = rows_of(y);
    const bool inside = groups_ == 1;  // the product adds the bias
    for (std::int64_t first = 0; first < positions_; first += tile_) {
      const DeformTile<C> t = sample(first);
      const Tensor columns = read(t);
      Tensor out = by_group(rows.slice(0, first, first + t.positions), groups_);
      if (!dnn::matmul(columns, weight_, inside ? bias : Tensor(), out)) return false;
    }
    if (bias.defined() && !inside) accumulate(y, bias.to(y.dtype()).reshape({1, y.dim(1), 1, 1}).expand(y.shape()));
    return true;
  }

  // Gradients that are defined are filled; `weight` comes in the order of weight_.
  bool backward(const Tensor& gy, naive::DeformGradients& out) {
    const Tensor rows = rows_of(gy);
    for (std::int64_t first = 0; first < positions_; first += tile_) {
      const DeformTile<C> t = sample(first);
      const Tensor g = by_group(rows.slice(0, first, first + t.positions), groups_);
      if (out.weight.defined()) {
        Tensor part = Tensor::empty(weight_.shape(), DType::f32);
        if (!dnn::matmul(swap_last(read(t)), g, {}, part)) return false;
        accumulate(out.weight, part);
      }
      if (!out.x.defined() && !out.offset.defined() && !out.mask.defined()) continue;
      Tensor columns = column_memory(t, DType::f32);
      if (!dnn::matmul(g, swap_last(weight_), {}, columns)) return false;
      if (out.x.defined()) scatter(t, columns, out.x);
      if (out.offset.defined() || out.mask.defined()) differentiate(t, columns, first, out);
    }
    return true;
  }

  // weight_'s order back to O x I/groups x kh x kw.
  Tensor weight_gradient(const Tensor& ordered, const Shape& shape) const {
    const std::int64_t taps = g_.taps();
    return ordered.reshape({groups_, taps, per_group_, shape[0] / groups_})
        .permute({0, 3, 2, 1})
        .contiguous(Layout::row_major)
        .reshape(shape);
  }
  const Shape& ordered_shape() const { return weight_.shape(); }

 private:
  DeformTile<C> sample(std::int64_t first) {
    const std::int64_t positions = std::min(tile_, positions_ - first);
    samples_.resize(static_cast<std::size_t>(positions * g_.samples()));
    parallel_for(positions, kernels::kDeformGrain, [&](std::int64_t begin, std::int64_t end) {
      kernels::deform_samples(g_, offset_.data<T>(), mask_.defined() ? mask_.data<T>() : nullptr, first + begin, first + end,
                              samples_.data() + begin * g_.samples());
    });
    return {samples_.data(), positions, g_.taps(), g_.samples(), g_.channels, per_group_};
  }

  Tensor column_memory(const DeformTile<C>& t, DType type) const {
    const std::int64_t width = t.taps * per_group_;
    return Tensor::empty(groups_ == 1 ? Shape{t.positions, width} : Shape{groups_, t.positions, width}, type);
  }

  Tensor read(const DeformTile<C>& t) const {
    Tensor columns = column_memory(t, x_.dtype());
    T* to = columns.data<T>();
    parallel_for(t.positions, kernels::kDeformGrain, [&](std::int64_t begin, std::int64_t end) {
      for (const DeformRun& r : runs_) kernels::read_columns(to, x_.data<T>(), t, r, begin, end);
    });
    return columns;
  }

  void scatter(const DeformTile<C>& t, const Tensor& columns, Tensor& gx) const {
    const std::int64_t share = (g_.channels + threads() - 1) / threads();
    const auto runs =
        kernels::deform_runs(g_.channels, groups_, g_.o.deform_groups, std::max<std::int64_t>(16, (share + 15) / 16 * 16));
    C* to = gx.data<C>();
    parallel_blocks(static_cast<std::int64_t>(runs.size()), [&](std::int64_t i) {
      kernels::scatter_columns(to, columns.data<C>(), t, runs[static_cast<std::size_t>(i)]);
    });
  }

  void differentiate(const DeformTile<C>& t, const Tensor& columns, std::int64_t first, naive::DeformGradients& out) {
    dots_.assign(static_cast<std::size_t>(4 * t.positions * t.per_position), C(0));
    const std::int64_t at = first * t.per_position;
    T* offset = out.offset.defined() ? out.offset.data<T>() + 2 * at : nullptr;
    T* mask = out.mask.defined() ? out.mask.data<T>() + at : nullptr;
    parallel_for(t.positions, kernels::kDeformGrain, [&](std::int64_t begin, std::int64_t end) {
      for (const DeformRun& r : runs_) kernels::add_dots(dots_.data(), columns.data<C>(), x_.data<T>(), t, r, begin, end);
      kernels::sample_gradients(offset, mask, dots_.data(), t.samples, begin * t.per_position, end * t.per_position);
    });
  }

  DeformGeometry g_;
  Tensor x_, offset_, mask_, weight_;
  std::int64_t groups_, per_group_, positions_ = 0, tile_ = 0;
  std::vector<DeformRun> runs_;
  std::vector<DeformSample<C>> samples_;
  std::vector<C> dots_;
};

std::int64_t out_size(const DeformOptions& o, std::size_t axis, std::int64_t in, std::int64_t kernel) {
  const std::int64_t span = o.dilation[axis] * (kernel - 1) + 1, padded = in + 2 * o.pad[axis];
  return padded < span ? 0 : (padded - span) / o.stride[axis] + 1;
}

Tensor zeros_if(bool wanted, const Shape& shape, DType type) {
  return wanted ? Tensor::zeros(shape, type, Layout::channels_last) : Tensor();
}

struct DeformConv2d {
  static constexpr std::string_view name = "deform_conv2d";
  static constexpr Policy policy = Policy::contraction;
  DeformOptions o;

  DeformGeometry geometry(const Shape& x, const Shape& w) const {
    return {o, x[2], x[3], x[1], out_size(o, 0, x[2], w[2]), out_size(o, 1, x[3], w[3]), w[2], w[3]};
  }

  Shapes infer(const Shapes& in) const {
    const Shape &x = in[0], &w = in[3];
    check(x.rank() == 4, name, ": expected an input N x C x H x W, got ", x);
    check(w.rank() == 4 && w[2] > 0 && w[3] > 0, name, ": expected a weight O x I/groups x kh x kw, got ", w);
    check(o.groups > 0 && w[0] % o.groups == 0, name, ": ", w[0], " output channels do not divide into ", o.groups, " groups");
    check(x[1] == w[1] * o.groups, name, ": weight wants ", w[1] * o.groups, " channels, input has ", x[1], " (input ", x, ")");
    check(o.deform_groups > 0 && x[1] % o.deform_groups == 0, name, ": ", x[1], " channels do not divide into ", o.deform_groups,
          " deformable groups");
    for (std::size_t a = 0; a < 2; ++a)
      check(o.stride[a] > 0 && o.dilation[a] > 0 && o.pad[a] >= 0, name,
            ": stride and dilation must be positive, pad not negative");
    const DeformGeometry g = geometry(x, w);
    check(g.out_height > 0 && g.out_width > 0, name, ": input ", x, " is smaller than the ", w[2], "x", w[3],
          " kernel with its padding");
    const Shape offset{x[0], 2 * g.samples(), g.out_height, g.out_width}, mask = offset.with(1, g.samples());
    check(in[1] == offset, name, ": offset wants ", offset, " (rows and columns of ", o.deform_groups, " x ", g.taps(),
          " taps), got ", in[1]);
    check(in[2].rank() == 0 || in[2] == mask, name, ": mask wants ", mask, ", got ", in[2]);
    check(in[4].rank() == 0 || in[4] == Shape{w[0]}, name, ": bias wants ", w[0], " values, got ", in[4]);
    return {{x[0], w[0], g.out_height, g.out_width}};
  }

  naive::DeformInputs direct(const Tensors& in) const {
    const Tensor x = map(in[0], wide(in[0]).dtype());
    return {geometry(x.shape(), in[3].shape()), x, map(in[1], x.dtype()), map(in[2], x.dtype()),
            in[3].to(x.dtype()).contiguous(Layout::row_major)};
  }

  template <class T>
  Tiles<T> tiles(const Tensors& in) const {
    const DType type = in[0].dtype();
    return {geometry(in[0].shape(), in[3].shape()), map(in[0], type), map(in[1], type), map(in[2], type),
            in[3].contiguous(Layout::row_major)};
  }

  Tensors forward(Context& c, const Tensors& in) const {
    c.save({in[0], in[1], in[2], in[3]});
    const DeformGeometry g = geometry(in[0].shape(), in[3].shape());
    const Shape shape{in[0].dim(0), in[3].dim(0), g.out_height, g.out_width};
    const DType type = in[0].dtype();
    const Tensor bias = in[4].defined() ? wide(in[4]).contiguous(Layout::row_major) : Tensor();
    Tensor y = Tensor::empty(shape, type, Layout::channels_last);
    if (type == DType::f32 && tiles<float>(in).forward(y, bias)) return {y};
    if (type == DType::bf16 && tiles<bf16>(in).forward(y, bias)) return {y};
    y = Tensor::empty(shape, wide(in[0]).dtype(), Layout::channels_last);
    naive::deform_forward(direct(in), y);
    if (bias.defined()) accumulate(y, bias.to(y.dtype()).reshape({1, shape[1], 1, 1}).expand(shape));
    return {y.to(type)};
  }

  template <class T>
  std::optional<naive::DeformGradients> fast(const Context& c, const Tensors& in, const Tensor& gy) const {
    Tiles<T> tiles = this->tiles<T>(in);
    naive::DeformGradients out{zeros_if(c.needs(0), in[0].shape(), DType::f32),
                               zeros_if(c.needs(1), in[1].shape(), gy.dtype()),
                               zeros_if(in[2].defined() && c.needs(2), in[2].shape(), gy.dtype()),
                               {}};
    if (c.needs(3)) out.weight = Tensor::zeros(tiles.ordered_shape());
    if (!tiles.backward(gy, out)) return std::nullopt;
    if (c.needs(3)) out.weight = tiles.weight_gradient(out.weight, in[3].shape());
    return out;
  }

  Tensors backward(Context& c, const Tensors& grads) const {
    const Tensors in{c.saved(0), c.saved(1), c.saved(2), c.saved(3)};
    const DType type = in[0].dtype();
    const Tensor gy = map(grads[0], type);
    std::optional<naive::DeformGradients> g;
    if (type == DType::f32) g = fast<float>(c, in, gy);
    else if (type == DType::bf16) g = fast<bf16>(c, in, gy);
    if (!g) {
      const naive::DeformInputs d = direct(in);
      const DType wide_type = d.x.dtype();
      g = {zeros_if(c.needs(0), d.x.shape(), wide_type),
           zeros_if(c.needs(1), d.offset.shape(), wide_type),
           zeros_if(in[2].defined() && c.needs(2), in[2].shape(), wide_type),
           {}};
      if (c.needs(3)) g->weight = Tensor::zeros(d.weight.shape(), wide_type);
      naive::deform_backward(d, wide(gy), *g);
    }
    Tensors out{g->x, g->offset, g->mask, g->weight, {}};
    for (std::size_t i = 0; i < 3; ++i)
      if (out[i].defined()) out[i] = out[i].to(in[i].dtype());
    if (out[3].defined()) out[3] = out[3].to(in[3].dtype());
    if (c.needs(4)) out[4] = sum_over(wide(gy), {true, false, true, true}).reshape({gy.dim(1)});
    return out;
  }

  Lowering lower() const {
    using Computation = role::Computation;
    return Computation{[*this](const auto& in, const auto& out) -> std::optional<Computation::Bound> {
      return kernels::deform_bound(geometry(in[0].shape, in[3].shape), in, out[0]);
    }};
  }

  // The product, and four pixels a sample and channel.
  std::int64_t multiply_adds(const Shapes& in, const Shapes& out) const {
    const std::int64_t positions = out[0][0] * out[0][2] * out[0][3];
    return positions * (in[3].elements() + 4 * in[3][2] * in[3][3] * in[0][1]);
  }
};

}  // namespace

Var deform_conv2d(const Var& x, const Var& offset, const Var& mask, const Var& weight, const Var& bias,
                  const DeformOptions& options) {
  return apply(DeformConv2d{options}, {x, offset, mask, weight, bias});
}

}  // namespace fovea
