#include "modules/plan/kernels/register_elementwise.hpp"

#include <iterator>

#include "modules/core/math.hpp"
#include "modules/ops/kernels/lanes.hpp"
#include "modules/ops/kernels/tile_product.hpp"

namespace fovea::plan {
namespace {

// n elements, fewer than a vector has.
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

// Through memory, which g++ turns into one broadcast instruction; of x * Floats and the like it makes sixteen instructions here.
template <class L>
FOVEA_INLINE void splat(typename L::Floats& v, float x) {
  float same[L::count];
  for (int i = 0; i < L::count; ++i) same[i] = x;
  L::load(v, same);
}

// How the vectors cover a row.
enum class Fit : std::uint8_t {
  exact,  // one after another
  over,   // the same, but none begins later than `last`: they may overlap, since everything is read before anything is written
  some    // one vector of which `last` elements are used
};

// A block of `vectors` vectors of each of `positions` positions, from element `at` of position `position` on.
template <class L, int positions, int vectors, Fit fit>
struct RegisterBlock {
  using Floats = typename L::Floats;
  static constexpr int count = positions * vectors;
  Floats v[count] = {}, pushed[count] = {};
  std::int64_t position, at, last;

  FOVEA_INLINE std::int64_t offset(int vector) const {
    const std::int64_t exact = vector * L::count;
    return fit == Fit::over && last < exact ? last : exact;
  }
  // Calls f(i, vector i of the operand).
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
  FOVEA_INLINE void with(const RegisterSource& s, const F& f) {
    const std::int64_t first = position * s.step;
    if (s.form == RegisterSource::Form::f32) {
      with(static_cast<const float*>(s.at) + first + at, s.step, f);
    } else if (s.form == RegisterSource::Form::bf16) {
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
  FOVEA_INLINE void store(T* y, std::int64_t step) const {
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
  FOVEA_INLINE void load(const RegisterSource& s) {
    with(
        s, [&](int i, const Floats& g) __attribute__((always_inline)) { v[i] = g; });
  }

  FOVEA_INLINE void add_product(const RegisterOp& a) {
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

  // As math::sigmoid (core/math.hpp) computes it, bit for bit; vectors of the constants of its exp stay in registers.
  FOVEA_INLINE void sigmoid() {
    namespace e = math::exp_f32;
    constexpr std::size_t kTerms = std::size(e::kPolynomial);
    Floats log2e, magic, ln2_high, ln2_rest, polynomial[kTerms], lowest, highest, one, two;
    splat<L>(log2e, e::kLog2e), splat<L>(magic, e::kMagic), splat<L>(ln2_high, e::kLn2High), splat<L>(ln2_rest, e::kLn2Rest);
    for (std::size_t k = 0; k < kTerms; ++k) splat<L>(polynomial[k], e::kPolynomial[k]);
    splat<L>(lowest, e::kLowest), splat<L>(highest, e::kHighest), splat<L>(one, 1), splat<L>(two, 2);
    const Floats infinity = one / Floats{};
    all([&](int i) __attribute__((always_inline)) {
      const Floats x = -v[i], t = x * log2e + magic, n = t - magic, r = (x - n * ln2_high) + n * ln2_rest;
      Floats p = polynomial[0];
      for (std::size_t k = 1; k < kTerms; ++k) p = p * r + polynomial[k];
      p = p * r * r + r + one;
      typename L::Words bits;
      __builtin_memcpy(&bits, &t, sizeof bits);
      bits = (bits << 23) + e::kHalf;
      Floats scale;
      __builtin_memcpy(&scale, &bits, sizeof scale);
      Floats y = p * scale * two;
      y = x < lowest ? Floats{} : y;
      y = x > highest ? infinity : y;
      v[i] = one / (one + y);
    });
  }

  FOVEA_INLINE void run(const RegisterOp& a) {
    switch (a.kind) {
      case RegisterOp::Kind::load: load(a.g); break;
      case RegisterOp::Kind::multiply:
        with(
            a.g, [&](int i, const Floats& g) __attribute__((always_inline)) { v[i] *= g; });
        break;
      case RegisterOp::Kind::add:
        with(
            a.g, [&](int i, const Floats& g) __attribute__((always_inline)) { v[i] += g; });
        break;
      case RegisterOp::Kind::add_product: add_product(a); break;
      case RegisterOp::Kind::push:
        all([&](int i) __attribute__((always_inline)) { pushed[i] = v[i]; });
        load(a.m);
        break;
      case RegisterOp::Kind::pop_add: all([&](int i) __attribute__((always_inline)) { v[i] = pushed[i] + v[i]; }); break;
      case RegisterOp::Kind::pop_multiply: all([&](int i) __attribute__((always_inline)) { v[i] = pushed[i] * v[i]; }); break;
      case RegisterOp::Kind::relu: all([&](int i) __attribute__((always_inline)) { v[i] = v[i] <= 0 ? Floats{} : v[i]; }); break;
      case RegisterOp::Kind::leaky_relu: leaky_relu(a.a); break;
      case RegisterOp::Kind::clip: clip(a.a, a.b); break;
      case RegisterOp::Kind::scale: scale(a.a, a.b); break;
      case RegisterOp::Kind::sigmoid: sigmoid(); break;
    }
  }
};

struct Job {
  RegisterTarget y;
  RegisterSource x;
  std::span<const RegisterOp> ops;
  std::int64_t width;
};

template <class L, int positions, int vectors, Fit fit = Fit::over>
FOVEA_INLINE void run_block(const Job& job, std::int64_t position, std::int64_t at) {
  RegisterBlock<L, positions, vectors, fit> s;
  s.position = position, s.at = at, s.last = job.width - at - (fit == Fit::some ? 0 : L::count);
  if (job.x.at) s.load(job.x);
  for (const RegisterOp& a : job.ops) s.run(a);
  const std::int64_t to = position * job.width + at;
  if (job.y.is_bf16) s.store(static_cast<bf16*>(job.y.at) + to, job.width);
  else s.store(static_cast<float*>(job.y.at) + to, job.width);
}

// Rows of few vectors, several positions in each block.
template <class L, int count, int vectors>
FOVEA_INLINE void short_rows(const Job& job, std::int64_t positions) {
  std::int64_t p = 0;
  for (; p + count <= positions; p += count) run_block<L, count, vectors>(job, p, 0);
  for (; p < positions; ++p) run_block<L, 1, vectors>(job, p, 0);
}

// Eight vectors at a time. The last block must be at least one vector long, so that it does not overlap what has been written.
template <class L>
FOVEA_INLINE void long_row(const Job& job, std::int64_t position) {
  std::int64_t at = 0, left = job.width;
  for (; left >= 9 * L::count || left == 8 * L::count; left = job.width - at)
    run_block<L, 1, 8, Fit::exact>(job, position, at), at += 8 * L::count;
  if (left > 8 * L::count) run_block<L, 1, 4>(job, position, at), at += 4 * L::count;
  if (left > 0) run_block<L, 1, 8>(job, position, at);
}

template <class L>
FOVEA_INLINE void run_positions(const Job& job, std::int64_t positions) {
  const auto vectors = [&](int n) { return job.width <= n * L::count; };
  if (job.width < L::count)
    for (std::int64_t p = 0; p < positions; ++p) run_block<L, 1, 1, Fit::some>(job, p, 0);
  else if (vectors(1)) short_rows<L, 8, 1>(job, positions);
  else if (vectors(2)) short_rows<L, 4, 2>(job, positions);
  else if (vectors(4)) short_rows<L, 2, 4>(job, positions);
  else
    for (std::int64_t p = 0; p < positions; ++p) long_row<L>(job, p);
}

FOVEA_SIMD_WIDE void run_wide(const Job& job, std::int64_t positions) { run_positions<kernels::Lanes16>(job, positions); }
FOVEA_SIMD_NARROW void run_narrow(const Job& job, std::int64_t positions) { run_positions<kernels::Lanes8>(job, positions); }

}  // namespace

void apply_in_registers(const RegisterTarget& y, const RegisterSource& x, std::span<const RegisterOp> ops, std::int64_t positions,
                        std::int64_t width) {
  const Job job{y, x, ops, width};
  if (kernels::wide_registers()) run_wide(job, positions);
  else run_narrow(job, positions);
}

}  // namespace fovea::plan
