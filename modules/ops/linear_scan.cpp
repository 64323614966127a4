#include "modules/ops/linear_scan.hpp"

#include "modules/ops/kernels/lines.hpp"

namespace fovea {
namespace {

template <class T>
void scan_line(const T* a, const T* b, T* y, std::int64_t n, std::int64_t stride) {
  double state = 0;
  for (std::int64_t i = 0; i < n * stride; i += stride) {
    state = static_cast<double>(static_cast<compute_t<T>>(a[i])) * state + static_cast<double>(static_cast<compute_t<T>>(b[i]));
    y[i] = static_cast<T>(static_cast<compute_t<T>>(state));
  }
}

// s_j = g_j + a_{j+1} s_{j+1} is the gradient of y_j and of b_j; that of a_j is s_j y_{j-1}.
template <class T>
void scan_back(const T* a, const T* y, const T* g, T* da, T* db, std::int64_t n) {
  double s = 0;
  for (std::int64_t j = n - 1; j >= 0; --j) {
    s = static_cast<double>(static_cast<compute_t<T>>(g[j])) +
        (j + 1 < n ? static_cast<double>(static_cast<compute_t<T>>(a[j + 1])) * s : 0.0);
    db[j] = static_cast<T>(static_cast<compute_t<T>>(s));
    da[j] = static_cast<T>(static_cast<compute_t<T>>(j > 0 ? s * static_cast<double>(static_cast<compute_t<T>>(y[j - 1])) : 0.0));
  }
}

struct LinearScan {
  static constexpr std::string_view name = "linear_scan";
  static constexpr Policy policy = Policy::statistic;
  int axis;

  Shapes infer(const Shapes& in) const {
    check(in[0].rank() > 0 && in[0] == in[1], "linear_scan: expected factors and summands of one shape, got ", in[0], " and ",
          in[1]);
    return {in[0]};
  }
  Tensors forward(Context& c, const Tensors& in) const {
    const Tensor a = in[0].contiguous(Layout::row_major), b = in[1].to(a.dtype()).contiguous(Layout::row_major);
    Tensor y = Tensor::empty(a.shape(), a.dtype());
    const kernels::Extent e = kernels::extent_of(a.shape(), a.rank() - 1);
    dispatch_compute(a.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      kernels::for_each_line(e, [&](std::int64_t first) {
        scan_line(a.data<T>() + first, b.data<T>() + first, y.data<T>() + first, e.size, e.inner);
      });
    });
    c.save({a, y});
    return {y.contiguous(in[0].layout())};
  }
  Lowering lower() const {
    return kernels::lines_computation(axis, [](kernels::Extent e) {
      return [e](auto* in, auto* y, float*) {
        kernels::for_each_line(
            e, [&](std::int64_t first) { scan_line(in[0] + first, in[1] + first, y[0] + first, e.size, e.inner); });
      };
    });
  }
  Tensors backward(Context& c, const Tensors& grads) const {
    const Tensor &a = c.saved(0), &y = c.saved(1), g = grads[0].contiguous(Layout::row_major);
    Tensor da = Tensor::empty(a.shape(), a.dtype()), db = Tensor::empty(a.shape(), a.dtype());
    const kernels::Extent e = kernels::extent_of(a.shape(), a.rank() - 1);
    dispatch_compute(a.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      kernels::for_each_line(e, [&](std::int64_t i) {
        scan_back(a.data<T>() + i, y.data<T>() + i, g.data<T>() + i, da.data<T>() + i, db.data<T>() + i, e.size);
      });
    });
    return {da.contiguous(grads[0].layout()), db.contiguous(grads[0].layout())};
  }
};

}  // namespace

Var linear_scan(const Var& a, const Var& b) { return apply(LinearScan{a.shape().rank() - 1}, {a, b}); }

}  // namespace fovea
