#include "modules/ops/mix.hpp"

#include "modules/core/simd.hpp"
#include "modules/core/threads.hpp"

namespace fovea {
namespace {

constexpr std::int64_t kBlock = 4096;  // elements: one unit of work, and of summation for the gradient of a weight

template <class T>
FOVEA_SIMD void combine(T* y, const T* const* maps, const compute_t<T>* w, std::int64_t k, std::int64_t n, compute_t<T> slope) {
  using C = compute_t<T>;
  if (k == 2) {
    const T *a = maps[0], *b = maps[1];
    const C wa = w[0], wb = w[1];
    for (std::int64_t i = 0; i < n; ++i) {
      const C v = wa * static_cast<C>(a[i]) + wb * static_cast<C>(b[i]);
      y[i] = v > C(0) ? v : slope * v;
    }
    return;
  }
  for (std::int64_t i = 0; i < n; ++i) {
    C v = 0;
    for (std::int64_t j = 0; j < k; ++j) v += w[j] * static_cast<C>(maps[j][i]);
    y[i] = v > C(0) ? v : slope * v;
  }
}

// out = w * dz and the return value sum(dz * map), with dz = g * activation'(y).
template <class T>
FOVEA_SIMD compute_t<T> branch_gradient(T* out, const T* g, const T* y, const T* map, compute_t<T> w, std::int64_t n,
                                        compute_t<T> slope) {
  using C = compute_t<T>;
  constexpr int kLanes = 16;
  C lanes[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int l = 0; l < kLanes; ++l) {
      const C dz = static_cast<C>(g[i + l]) * (static_cast<C>(y[i + l]) > C(0) ? C(1) : slope);
      lanes[l] += dz * static_cast<C>(map[i + l]);
      out[i + l] = w * dz;
    }
  C total = 0;
  for (; i < n; ++i) {
    const C dz = static_cast<C>(g[i]) * (static_cast<C>(y[i]) > C(0) ? C(1) : slope);
    total += dz * static_cast<C>(map[i]);
    out[i] = w * dz;
  }
  for (int l = 0; l < kLanes; ++l) total += lanes[l];
  return total;
}

struct Mix {
  static constexpr std::string_view name = "mix";
  static constexpr Policy policy = Policy::statistic;  // the weights keep their own type
  double slope;
  std::size_t count;  // of maps

  Shapes infer(const Shapes& in) const {
    check(in.size() >= 2 && in[1].rank() == 4, "mix: expected maps N x C x H x W");
    const auto k = static_cast<std::int64_t>(in.size()) - 1;
    check(in[0] == Shape{in[1][0], k}, "mix: expected weights ", in[1][0], "x", k, ", got ", in[0]);
    for (const Shape& s : Shapes(in.begin() + 1, in.end()))
      check(s == in[1], "mix: expected maps of one shape, got ", in[1], " and ", s);
    return {in[1]};
  }

  Tensors forward(Context& c, const Tensors& in) const {
    Tensors kept{in[0]};
    for (std::size_t k = 1; k < in.size(); ++k) kept.push_back(in[k].contiguous(Layout::channels_last));
    Tensor y = Tensor::empty(in[1].shape(), in[1].dtype(), Layout::channels_last);
    dispatch_compute(y.dtype(), name, [&](auto zero) { run<decltype(zero)>(kept, y); });
    kept.push_back(y);
    c.save(std::move(kept));
    return {y};
  }

  Lowering lower() const {
    using Computation = role::Computation;
    if (count > kMost) return {};
    return Computation{[*this](const auto&, const auto& out) -> std::optional<Computation::Bound> {
      const std::int64_t n = out[0].shape[0], size = out[0].shape.elements() / n;
      return Computation::Bound{[mix = *this, n, size](auto* x, auto* y, float*) { mix.run(x[0], x + 1, y[0], n, size); }};
    }};
  }

  Tensors backward(Context& c, const Tensors& grads) const {
    const Tensor g = grads[0].contiguous(Layout::channels_last);
    Tensors out;
    out.push_back(Tensor::empty(c.saved(0).shape(), DType::f64));
    for (std::size_t k = 0; k < count; ++k) out.push_back(Tensor::like(g));
    dispatch_compute(g.dtype(), name, [&](auto zero) { differentiate<decltype(zero)>(c, g, out); });
    return out;
  }

 private:
  static constexpr std::size_t kMost = 8;

  void run(const float* w, const float* const* in, float* y, std::int64_t n, std::int64_t size) const {
    const std::int64_t blocks = (size + kBlock - 1) / kBlock, k = static_cast<std::int64_t>(count);
    parallel_for(n * blocks, 4, [&](std::int64_t begin, std::int64_t end) {
      std::array<const float*, kMost> maps{};
      for (std::int64_t job = begin; job < end; ++job) {
        const std::int64_t sample = job / blocks, from = job % blocks * kBlock, at = sample * size + from;
        for (std::size_t j = 0; j < count; ++j) maps[j] = in[j] + at;
        combine(y + at, maps.data(), w + sample * k, k, std::min(kBlock, size - from), static_cast<float>(slope));
      }
    });
  }

  template <class T>
  void run(const Tensors& in, Tensor& y) const {
    const std::int64_t k = static_cast<std::int64_t>(in.size()) - 1, n = y.dim(0), size = n ? y.size() / n : 0;
    const std::int64_t blocks = (size + kBlock - 1) / kBlock;
    const std::vector<double> w = in[0].values();
    parallel_for(n * blocks, 4, [&](std::int64_t begin, std::int64_t end) {
      std::vector<const T*> maps(static_cast<std::size_t>(k));
      std::vector<compute_t<T>> weights(static_cast<std::size_t>(k));
      for (std::int64_t job = begin; job < end; ++job) {
        const std::int64_t sample = job / blocks, from = job % blocks * kBlock, at = sample * size + from;
        for (std::size_t j = 0; j < maps.size(); ++j) {
          maps[j] = in[j + 1].data<T>() + at;
          weights[j] = static_cast<compute_t<T>>(w[static_cast<std::size_t>(sample * k) + j]);
        }
        combine(y.data<T>() + at, maps.data(), weights.data(), k, std::min(kBlock, size - from),
                static_cast<compute_t<T>>(slope));
      }
    });
  }

  template <class T>
  void differentiate(const Context& c, const Tensor& g, Tensors& out) const {
    const std::int64_t k = static_cast<std::int64_t>(count), n = g.dim(0), size = n ? g.size() / n : 0,
                       blocks = (size + kBlock - 1) / kBlock;
    const std::vector<double> w = c.saved(0).values();
    const Tensor& y = c.saved(count + 1);
    std::vector<double> partial(static_cast<std::size_t>(n * blocks * k));
    parallel_for(n * blocks, 4, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t job = begin; job < end; ++job) {
        const std::int64_t sample = job / blocks, from = job % blocks * kBlock, at = sample * size + from;
        for (std::int64_t j = 0; j < k; ++j) {
          const auto index = static_cast<std::size_t>(j) + 1;
          partial[static_cast<std::size_t>(job * k + j)] =
              branch_gradient(out[index].data<T>() + at, g.data<T>() + at, y.data<T>() + at, c.saved(index).data<T>() + at,
                              static_cast<compute_t<T>>(w[static_cast<std::size_t>(sample * k + j)]),
                              std::min(kBlock, size - from), static_cast<compute_t<T>>(slope));
        }
      }
    });
    for (std::int64_t i = 0; i < n * k; ++i) {
      double total = 0;
      for (std::int64_t b = 0; b < blocks; ++b) total += partial[static_cast<std::size_t>((i / k * blocks + b) * k + i % k)];
      out[0].data<double>()[i] = total;
    }
    out[0] = out[0].to(c.saved(0).dtype());
  }
};

}  // namespace

Var mix(const Var& weights, const Vars& maps, double slope) {
  Vars in{weights};
  in.insert(in.end(), maps.begin(), maps.end());
  return fovea::apply(Mix{slope, maps.size()}, in);  // qualified: std::apply is a candidate for a vector
}

}  // namespace fovea
