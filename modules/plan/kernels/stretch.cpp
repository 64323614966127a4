#include "modules/plan/kernels/stretch.hpp"

#include <array>

#include "modules/ops/kernels/lanes.hpp"
#include "modules/ops/kernels/tile_product.hpp"

namespace fovea::plan {
namespace {

// Fewer neighbours than lanes.
template <class L, class T>
FOVEA_INLINE void load_some(typename L::Floats& v, const T* p, std::int64_t n) {
  T some[L::count] = {};
  for (std::int64_t i = 0; i < n; ++i) some[i] = p[i];
  L::load(v, some);
}
template <class L, class T>
FOVEA_INLINE void store_some(T* p, const typename L::Floats& v, std::int64_t n) {
  T some[L::count];
  L::store(some, v);
  for (std::int64_t i = 0; i < n; ++i) p[i] = some[i];
}

// By way of memory, which the compiler makes one instruction: of x * Floats and the like it makes sixteen here.
template <class L>
FOVEA_INLINE void splat(typename L::Floats& v, float x) {
  float same[L::count];
  for (int i = 0; i < L::count; ++i) same[i] = x;
  L::load(v, same);
}

// How a row's vectors lie: side by side; or none begins more than `last` behind the first, so that they may lie over one another: all is
// read before anything is written; or it is a vector of `last` lanes alone.
enum class Fit : std::uint8_t { exact, over, some };

// As many vectors of as many positions, from neighbour `at` of place `place` on.
template <class L, int positions, int vectors, Fit fit>
struct Stretch {
  using Floats = typename L::Floats;
  static constexpr int count = positions * vectors;
  Floats v[count] = {}, away[count] = {};
  std::int64_t place, at, last;

  FOVEA_INLINE std::int64_t offset(int vector) const {
    const std::int64_t beside = vector * L::count;
    return fit == Fit::over && last < beside ? last : beside;
  }
  // f(i, what the source has for vector i)
  template <class T, class F>
  FOVEA_INLINE void with(const T* g, std::int64_t step, const F& f) {
    Floats one;
#pragma GCC unroll 8
    for (int i = 0; i < count; ++i) {
      const T* from = g + i / vectors * step + offset(i % vectors);
      if constexpr (fit == Fit::some) load_some<L>(one, from, last);
      else L::load(one, from);
      f(i, one);
    }
  }
  template <class F>
  FOVEA_INLINE void with(const Source& s, const F& f) {
    const std::int64_t first = place * s.step;
    if (s.form == Source::Form::wide) {
      with(static_cast<const float*>(s.at) + first + at, s.step, f);
    } else if (s.form == Source::Form::narrow) {
      with(static_cast<const bf16*>(s.at) + first + at, s.step, f);
    } else {
#pragma GCC unroll 8
      for (int p = 0; p < positions; ++p) {
        Floats one;
        splat<L>(one, static_cast<const float*>(s.at)[first + p * s.step]);
#pragma GCC unroll 8
        for (int i = 0; i < vectors; ++i) f(p * vectors + i, one);
      }
    }
  }
  template <class T>
  FOVEA_INLINE void put(T* y, std::int64_t step) const {
#pragma GCC unroll 8
    for (int i = 0; i < count; ++i) {
      T* to = y + i / vectors * step + offset(i % vectors);
      if constexpr (fit == Fit::some) store_some<L>(to, v[i], last);
      else L::store(to, v[i]);
    }
  }
  template <class F>
  FOVEA_INLINE void all(const F& f) {
#pragma GCC unroll 8
    for (int i = 0; i < count; ++i) f(i);
  }
  FOVEA_INLINE void fetch(const Source& s) {
    with(
        s, [&](int i, const Floats& g) __attribute__((always_inline)) { v[i] = g; });
  }

  FOVEA_INLINE void add_product(const Action& a) {
    Floats m[count];
    with(
        a.m, [&](int i, const Floats& one) __attribute__((always_inline)) { m[i] = one; });
    with(
        a.g, [&](int i, const Floats& g) __attribute__((always_inline)) { v[i] += m[i] * g; });
  }
  FOVEA_INLINE void clip(float a, float b) {
    Floats low, high;
    splat<L>(low, a), splat<L>(high, b);
    all([&](int i) __attribute__((always_inline)) {
      v[i] = v[i] < low ? low : v[i];
      v[i] = v[i] > high ? high : v[i];
    });
  }
  FOVEA_INLINE void leaky_relu(float a) {
    Floats slope;
    splat<L>(slope, a);
    all([&](int i) __attribute__((always_inline)) { v[i] = v[i] > 0 ? v[i] : slope * v[i]; });
  }
  FOVEA_INLINE void scale(float a, float b) {
    Floats factor, shift;
    splat<L>(factor, a), splat<L>(shift, b);
    all([&](int i) __attribute__((always_inline)) { v[i] = factor * v[i] + shift; });
  }

  // As math::sigmoid (core/math.hpp) computes it, with the numbers of its exp where the compiler finds them.
  FOVEA_INLINE void sigmoid() {
    constexpr std::array<float, 12> numbers{1.44269504088896341f, 12582912.0f,      0.693359375f,     2.12194440e-4f,
                                            1.9875691500e-4f,     1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f,
                                            1.6666665459e-1f,     5.0000001201e-1f, -87.33654f,       88.72283f};
    Floats c[numbers.size()], one, two;
    for (std::size_t k = 0; k < numbers.size(); ++k) splat<L>(c[k], numbers[k]);
    splat<L>(one, 1), splat<L>(two, 2);
    const Floats infinity = one / Floats{};
    all([&](int i) __attribute__((always_inline)) {
      const Floats x = -v[i], t = x * c[0] + c[1], n = t - c[1], r = (x - n * c[2]) + n * c[3];
      Floats p = c[4];
      for (std::size_t k = 5; k < 10; ++k) p = p * r + c[k];
      p = p * r * r + r + one;
      typename L::Words bits;
      __builtin_memcpy(&bits, &t, sizeof bits);
      bits = (bits << 23) + 0x3f000000u;
      Floats scale;
      __builtin_memcpy(&scale, &bits, sizeof scale);
      Floats y = p * scale * two;
      y = x < c[10] ? Floats{} : y;
      y = x > c[11] ? infinity : y;
      v[i] = one / (one + y);
    });
  }

  FOVEA_INLINE void run(const Action& a) {
    switch (a.kind) {
      case Action::Kind::fetch: fetch(a.g); break;
      case Action::Kind::multiply:
        with(
            a.g, [&](int i, const Floats& g) __attribute__((always_inline)) { v[i] *= g; });
        break;
      case Action::Kind::add:
        with(
            a.g, [&](int i, const Floats& g) __attribute__((always_inline)) { v[i] += g; });
        break;
      case Action::Kind::add_product: add_product(a); break;
      case Action::Kind::aside:
        all([&](int i) __attribute__((always_inline)) { away[i] = v[i]; });
        fetch(a.m);
        break;
      case Action::Kind::back_sum: all([&](int i) __attribute__((always_inline)) { v[i] = away[i] + v[i]; }); break;
      case Action::Kind::back_product: all([&](int i) __attribute__((always_inline)) { v[i] = away[i] * v[i]; }); break;
      case Action::Kind::relu: all([&](int i) __attribute__((always_inline)) { v[i] = v[i] <= 0 ? Floats{} : v[i]; }); break;
      case Action::Kind::leaky_relu: leaky_relu(a.a); break;
      case Action::Kind::clip: clip(a.a, a.b); break;
      case Action::Kind::scale: scale(a.a, a.b); break;
      case Action::Kind::sigmoid: sigmoid(); break;
    }
  }
};

struct Job {
  Target y;
  Source x;
  std::span<const Action> actions;
  std::int64_t width;
};

template <class L, int positions, int vectors, Fit fit = Fit::over>
FOVEA_INLINE void stretch(const Job& job, std::int64_t place, std::int64_t at) {
  Stretch<L, positions, vectors, fit> s;
  s.place = place, s.at = at, s.last = job.width - at - (fit == Fit::some ? 0 : L::count);
  if (job.x.at) s.fetch(job.x);
  for (const Action& a : job.actions) s.run(a);
  const std::int64_t to = place * job.width + at;
  if (job.y.narrow) s.put(static_cast<bf16*>(job.y.at) + to, job.width);
  else s.put(static_cast<float*>(job.y.at) + to, job.width);
}

// Positions that few vectors hold, several at once.
template <class L, int together, int vectors>
FOVEA_INLINE void short_rows(const Job& job, std::int64_t positions) {
  std::int64_t p = 0;
  for (; p + together <= positions; p += together) stretch<L, together, vectors>(job, p, 0);
  for (; p < positions; ++p) stretch<L, 1, vectors>(job, p, 0);
}

// Eight vectors at a time. What is left at the end must fill one, lest it lie over what has been written.
template <class L>
FOVEA_INLINE void long_row(const Job& job, std::int64_t place) {
  std::int64_t at = 0, left = job.width;
  for (; left >= 9 * L::count || left == 8 * L::count; left = job.width - at)
    stretch<L, 1, 8, Fit::exact>(job, place, at), at += 8 * L::count;
  if (left > 8 * L::count) stretch<L, 1, 4>(job, place, at), at += 4 * L::count;
  if (left > 0) stretch<L, 1, 8>(job, place, at);
}

template <class L>
FOVEA_SIMD void run_places(const Job& job, std::int64_t positions) {
  const auto vectors = [&](int n) { return job.width <= n * L::count; };
  if (job.width < L::count)
    for (std::int64_t p = 0; p < positions; ++p) stretch<L, 1, 1, Fit::some>(job, p, 0);
  else if (vectors(1)) short_rows<L, 8, 1>(job, positions);
  else if (vectors(2)) short_rows<L, 4, 2>(job, positions);
  else if (vectors(4)) short_rows<L, 2, 4>(job, positions);
  else
    for (std::int64_t p = 0; p < positions; ++p) long_row<L>(job, p);
}

}  // namespace

void run_stretches(const Target& y, const Source& x, std::span<const Action> actions, std::int64_t positions, std::int64_t width) {
  const Job job{y, x, actions, width};
  if (kernels::wide_registers()) run_places<kernels::Lanes16>(job, positions);
  else run_places<kernels::Lanes8>(job, positions);
}

}  // namespace fovea::plan
