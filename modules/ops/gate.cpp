#include "modules/ops/gate.hpp"

#include <algorithm>

#include "modules/core/simd.hpp"
#include "modules/core/threads.hpp"

namespace fovea {
namespace {

template <class T>
FOVEA_SIMD void multiply_row(T* y, const T* x, const T* g, const BroadcastRow& r) {
  using C = compute_t<T>;
  for (std::int64_t p = 0; p < r.positions; ++p, y += r.width, x += r.width, g += r.position_stride) {
    if (r.element_stride) {
      for (std::int64_t i = 0; i < r.width; ++i) y[i] = static_cast<C>(x[i]) * static_cast<C>(g[i]);
    } else {
      const C one = static_cast<C>(g[0]);
      for (std::int64_t i = 0; i < r.width; ++i) y[i] = static_cast<C>(x[i]) * one;
    }
  }
}

// sum (laid out as the gate) += dy * x
template <class T, class C = compute_t<T>>
FOVEA_SIMD void sum_row(C* sum, const T* dy, const T* x, const BroadcastRow& r) {
  for (std::int64_t p = 0; p < r.positions; ++p, dy += r.width, x += r.width, sum += r.position_stride) {
    if (r.element_stride) {
      for (std::int64_t i = 0; i < r.width; ++i) sum[i] += static_cast<C>(dy[i]) * static_cast<C>(x[i]);
    } else {
      C total = 0;
#pragma omp simd reduction(+ : total)
      for (std::int64_t i = 0; i < r.width; ++i) total += static_cast<C>(dy[i]) * static_cast<C>(x[i]);
      sum[0] += total;
    }
  }
}

// The dimensions of a map and the strides of its gate, in memory order; `rows` of dimension 1 are the unit of work.
struct GateLayout {
  std::array<std::int64_t, 4> size{}, step{};  // step: stride of the gate, 0 where it is broadcast
  BroadcastRow row{};
  std::int64_t row_length = 0, gate_row = 0;  // elements of a row of the map, of a sample's row of the gate

  GateLayout(const Tensor& x, const Tensor& g) {
    const bool last = x.layout() == Layout::channels_last;
    const std::array<int, 4> order = last ? std::array<int, 4>{0, 2, 3, 1} : std::array<int, 4>{0, 1, 2, 3};
    std::int64_t stride = 1;
    for (std::size_t i = 4; i-- > 0;) {
      size[i] = x.dim(order[i]);
      step[i] = g.dim(order[i]) == 1 ? 0 : stride;
      if (i == 1) gate_row = stride;
      stride *= g.dim(order[i]);
    }
    step[0] = stride / std::max<std::int64_t>(1, size[0]);
    row = {size[2], size[3], step[2], step[3]};
    row_length = size[2] * size[3];
  }
  // Rows summed in the compute type before they go over to f64: fixed by the shape, so that threads do not change results.
  std::int64_t rows_together() const {
    if (step[1]) return 1;
    return std::clamp<std::int64_t>(
        std::min(16384 / std::max<std::int64_t>(1, row_length), 512 / std::max<std::int64_t>(1, size[2])), 1,
        std::max<std::int64_t>(1, size[1]));
  }
};

struct Gate {
  static constexpr std::string_view name = "gate";
  static constexpr Policy policy = Policy::pointwise;

  Shapes infer(const Shapes& in) const {
    check(is_gate(in[0], in[1]), "gate: expected a gate of the map's shape with some axes of size 1, got ", in[1],
          " for the map ", in[0]);
    return {in[0]};
  }

  Tensors forward(Context& c, const Tensors& in) const {
    const Layout layout = in[0].layout();
    const Tensor x = in[0].contiguous(layout), g = in[1].contiguous(layout);
    Tensor y = Tensor::like(x);
    dispatch_compute(x.dtype(), name, [&](auto zero) { multiply<decltype(zero)>(y, x, g); });
    c.save({x, g});
    return {y};
  }

  Lowering lower() const { return role::Binary{.row = multiply_row<float>, .swapped = multiply_row<float>, .product = true}; }

  Tensors backward(Context& c, const Tensors& grads) const {
    const Tensor &x = c.saved(0), &g = c.saved(1);
    const Tensor dy = grads[0].contiguous(x.layout());
    Tensors out(2);
    if (c.needs(0)) out[0] = Tensor::like(x);
    if (c.needs(1)) out[1] = Tensor::empty(g.shape(), g.dtype(), x.layout());
    dispatch_compute(x.dtype(), name, [&](auto zero) { differentiate<decltype(zero)>(out, dy, x, g); });
    return out;
  }

 private:
  template <class T>
  static void multiply(Tensor& y, const Tensor& x, const Tensor& g) {
    const GateLayout p(x, g);
    const T *from = x.data<T>(), *gates = g.data<T>();
    T* to = y.data<T>();
    parallel_for(p.size[0] * p.size[1], std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, p.row_length)),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t i = begin; i < end; ++i)
                     multiply_row(to + i * p.row_length, from + i * p.row_length,
                                  gates + i / p.size[1] * p.step[0] + i % p.size[1] * p.step[1], p.row);
                 });
  }

  // Blocks of rows: dx where it is wanted, and the block's part of the gate's gradient while dy is in cache.
  template <class T>
  static void differentiate(Tensors& out, const Tensor& dy, const Tensor& x, const Tensor& g) {
    using C = compute_t<T>;
    const GateLayout p(x, g);
    const std::int64_t together = p.rows_together(), blocks = (p.size[1] + together - 1) / together;
    T* dx = out[0].defined() ? out[0].data<T>() : nullptr;
    std::vector<C> partial(out[1].defined() ? static_cast<std::size_t>(p.size[0] * blocks * p.gate_row) : 0, C(0));
    parallel_blocks(p.size[0] * blocks, [&](std::int64_t job) {
      const std::int64_t n = job / blocks, first = job % blocks * together, last = std::min(p.size[1], first + together);
      for (std::int64_t h = first; h < last; ++h) {
        const std::int64_t at = (n * p.size[1] + h) * p.row_length;
        if (dx) multiply_row(dx + at, dy.data<T>() + at, g.data<T>() + n * p.step[0] + h * p.step[1], p.row);
        if (!partial.empty()) sum_row(partial.data() + job * p.gate_row, dy.data<T>() + at, x.data<T>() + at, p.row);
      }
    });
    if (out[1].defined()) join(out[1].data<T>(), partial, p, blocks);
  }

  template <class T, class C>
  static void join(T* dg, const std::vector<C>& partial, const GateLayout& p, std::int64_t blocks) {
    if (p.step[1]) {
      std::copy(partial.begin(), partial.end(), dg);
      return;
    }
    std::vector<double> total(static_cast<std::size_t>(p.gate_row));
    for (std::int64_t n = 0; n < p.size[0]; ++n) {
      std::fill(total.begin(), total.end(), 0.0);
      for (std::int64_t b = 0; b < blocks; ++b)
        for (std::int64_t i = 0; i < p.gate_row; ++i)
          total[static_cast<std::size_t>(i)] +=
              static_cast<double>(partial[static_cast<std::size_t>((n * blocks + b) * p.gate_row + i)]);
      for (std::int64_t i = 0; i < p.gate_row; ++i)
        dg[n * p.gate_row + i] = static_cast<T>(static_cast<C>(total[static_cast<std::size_t>(i)]));
    }
  }
};

}  // namespace

bool is_gate(const Shape& x, const Shape& g) {
  if (x.rank() != 4 || g.rank() != 4 || x[0] != g[0] || g.elements() >= x.elements()) return false;
  for (int i = 1; i < 4; ++i)
    if (g[i] != 1 && g[i] != x[i]) return false;
  return true;
}

Var gate(const Var& x, const Var& g) { return apply(Gate{}, {x, g}); }

}  // namespace fovea
