#include "modules/ops/conv2d_naive.hpp"

#include <algorithm>

#include "modules/core/threads.hpp"

namespace fovea::naive {
namespace {

template <class T>
struct View {
  T* data;
  Shape d, s;
  explicit View(const Tensor& t) : data(const_cast<Tensor&>(t).data<T>()), d(t.shape()), s(t.strides()) {}
  T& at(std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t e) const {
    return data[a * s[0] + b * s[1] + c * s[2] + e * s[3]];
  }
};

// Calls f(kernel, input) for the kernel taps along one axis under which output position `out` reads inside the input.
template <class F>
void taps(const Conv2dOptions& o, std::size_t axis, std::int64_t out, std::int64_t kernel, std::int64_t size, const F& f) {
  for (std::int64_t k = 0; k < kernel; ++k) {
    const std::int64_t in = out * o.stride[axis] - o.pad_begin[axis] + k * o.dilation[axis];
    if (in >= 0 && in < size) f(k, in);
  }
}

template <class T>
void forward(const Conv2dOptions& o, const View<T> x, const View<T> w, const View<T> y) {
  const std::int64_t per_group = y.d[1] / o.groups;
  parallel_for(y.d[0] * y.d[1], 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t job = begin; job < end; ++job) {
      const std::int64_t n = job / y.d[1], oc = job % y.d[1], first = oc / per_group * w.d[1];
      for (std::int64_t oy = 0; oy < y.d[2]; ++oy)
        for (std::int64_t ox = 0; ox < y.d[3]; ++ox) {
          T sum = 0;
          taps(o, 0, oy, w.d[2], x.d[2], [&](std::int64_t ky, std::int64_t iy) {
            taps(o, 1, ox, w.d[3], x.d[3], [&](std::int64_t kx, std::int64_t ix) {
              for (std::int64_t ic = 0; ic < w.d[1]; ++ic) sum += x.at(n, first + ic, iy, ix) * w.at(oc, ic, ky, kx);
            });
          });
          y.at(n, oc, oy, ox) = sum;
        }
    }
  });
}

template <class T>
void backward_data(const Conv2dOptions& o, const View<T> gy, const View<T> w, const View<T> gx) {
  const std::int64_t out_per_group = gy.d[1] / o.groups, in_per_group = w.d[1];
  parallel_for(gx.d[0] * o.groups, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t job = begin; job < end; ++job) {
      const std::int64_t n = job / o.groups, g = job % o.groups;
      for (std::int64_t ic = 0; ic < in_per_group; ++ic)
        for (std::int64_t y = 0; y < gx.d[2]; ++y)
          for (std::int64_t x = 0; x < gx.d[3]; ++x) gx.at(n, g * in_per_group + ic, y, x) = 0;
      for (std::int64_t oc = g * out_per_group; oc < (g + 1) * out_per_group; ++oc)
        for (std::int64_t oy = 0; oy < gy.d[2]; ++oy)
          for (std::int64_t ox = 0; ox < gy.d[3]; ++ox) {
            const T grad = gy.at(n, oc, oy, ox);
            taps(o, 0, oy, w.d[2], gx.d[2], [&](std::int64_t ky, std::int64_t iy) {
              taps(o, 1, ox, w.d[3], gx.d[3], [&](std::int64_t kx, std::int64_t ix) {
                for (std::int64_t ic = 0; ic < in_per_group; ++ic)
                  gx.at(n, g * in_per_group + ic, iy, ix) += grad * w.at(oc, ic, ky, kx);
              });
            });
          }
    }
  });
}

template <class T>
void backward_weights(const Conv2dOptions& o, const View<T> x, const View<T> gy, const View<T> gw) {
  const std::int64_t per_group = gy.d[1] / o.groups;
  parallel_for(gw.d[0], 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t oc = begin; oc < end; ++oc) {
      const std::int64_t first = oc / per_group * gw.d[1];
      for (std::int64_t ic = 0; ic < gw.d[1]; ++ic)
        for (std::int64_t ky = 0; ky < gw.d[2]; ++ky)
          for (std::int64_t kx = 0; kx < gw.d[3]; ++kx) gw.at(oc, ic, ky, kx) = 0;
      for (std::int64_t n = 0; n < x.d[0]; ++n)
        for (std::int64_t oy = 0; oy < gy.d[2]; ++oy)
          for (std::int64_t ox = 0; ox < gy.d[3]; ++ox) {
            const T grad = gy.at(n, oc, oy, ox);
            taps(o, 0, oy, gw.d[2], x.d[2], [&](std::int64_t ky, std::int64_t iy) {
              taps(o, 1, ox, gw.d[3], x.d[3], [&](std::int64_t kx, std::int64_t ix) {
                for (std::int64_t ic = 0; ic < gw.d[1]; ++ic) gw.at(oc, ic, ky, kx) += grad * x.at(n, first + ic, iy, ix);
              });
            });
          }
    }
  });
}

// bf16 has no kernel of its own here: the caller converts.
template <class F>
void dispatch(const Tensor& t, const F& f) {
  if (t.dtype() == DType::f64) f(double{});
  else f(float{});
}

}  // namespace

void conv_forward(const Conv2dOptions& o, const Tensor& x, const Tensor& w, Tensor& y) {
  dispatch(x, [&](auto t) { forward<decltype(t)>(o, View<decltype(t)>(x), View<decltype(t)>(w), View<decltype(t)>(y)); });
}
void conv_backward_data(const Conv2dOptions& o, const Tensor& gy, const Tensor& w, Tensor& gx) {
  dispatch(gy,
           [&](auto t) { backward_data<decltype(t)>(o, View<decltype(t)>(gy), View<decltype(t)>(w), View<decltype(t)>(gx)); });
}
void conv_backward_weights(const Conv2dOptions& o, const Tensor& x, const Tensor& gy, Tensor& gw) {
  dispatch(x,
           [&](auto t) { backward_weights<decltype(t)>(o, View<decltype(t)>(x), View<decltype(t)>(gy), View<decltype(t)>(gw)); });
}

}  // namespace fovea::naive
