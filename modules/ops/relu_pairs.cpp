#include "modules/ops/relu_pairs.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "modules/autograd/apply.hpp"
#include "modules/core/threads.hpp"

namespace fovea {
namespace {

constexpr std::int64_t kColumns = 64;  // of the values that one job sums: fixed, so that threads do not change the bits

// One sample's a or b, and which comes when from the smallest to the largest; NaN is the largest, so that it meets everything.
struct Side {
  std::vector<double> values;
  std::vector<std::int64_t> order;
};

Side side_of(const Tensor& t, std::int64_t n) {
  Side s{t.slice(0, n, n + 1).values(), {}};
  s.order.resize(s.values.size());
  std::iota(s.order.begin(), s.order.end(), 0);
  const auto key = [&](std::int64_t i) {
    const double v = s.values[static_cast<std::size_t>(i)];
    return std::isnan(v) ? std::numeric_limits<double>::infinity() : v;
  };
  std::stable_sort(s.order.begin(), s.order.end(), [&](std::int64_t i, std::int64_t j) { return key(i) < key(j); });
  return s;
}

std::vector<Side> sides_of(const Tensor& t) {
  std::vector<Side> sides;
  for (std::int64_t n = 0; n < t.dim(0); ++n) sides.push_back(side_of(t, n));
  return sides;
}

// Columns begin .. end of one sample's rows, dense.
template <class T>
struct Rows {
  const T* data;
  std::int64_t width, begin, end;
  const T* at(std::int64_t i) const { return data + i * width; }
};

template <class T>
double wide(T v) {
  return static_cast<double>(static_cast<compute_t<T>>(v));
}

// For each i of `walkers` that meets any j of `items`: f(i, sum of rows_j, sum of b_j rows_j) over the j with a_i + b_j > 0. Both
// sums are as long as the columns.
template <class T, class F>
void sweep(const Side& walkers, const Side& items, const Rows<T>& rows, const F& f) {
  const auto columns = static_cast<std::size_t>(rows.end - rows.begin);
  std::vector<double> sum(columns), weighted(columns);
  auto next = items.order.rbegin();
  for (const std::int64_t i : walkers.order) {
    const double a = walkers.values[static_cast<std::size_t>(i)];
    for (; next != items.order.rend(); ++next) {
      const double b = items.values[static_cast<std::size_t>(*next)];
      if (a + b <= 0) break;
      const T* row = rows.at(*next) + rows.begin;
      for (std::size_t c = 0; c < columns; ++c) sum[c] += wide(row[c]), weighted[c] += b * wide(row[c]);
    }
    if (next != items.order.rbegin()) f(i, sum.data(), weighted.data());
  }
}

// f(sample, first column, columns' end, which block of columns) for every sample and block of columns, on all threads.
template <class F>
void for_each_block(std::int64_t samples, std::int64_t columns, const F& f) {
  const std::int64_t blocks = (columns + kColumns - 1) / kColumns;
  parallel_blocks(samples * blocks, [&](std::int64_t job) {
    const std::int64_t block = job % blocks, begin = block * kColumns;
    f(job / blocks, begin, std::min(columns, begin + kColumns), block);
  });
}

// y_i = sum_j relu(a_i + b_j) rows_j, and the derivative by a_i along `others`, d_i = others_i . sum of the rows that a_i meets, where
// that is asked for: one number a walker and block of columns.
template <class T>
void weigh(const Side& walkers, const Side& items, const Rows<T>& rows, T* y, const T* others, double* d) {
  sweep(walkers, items, rows, [&](std::int64_t i, const double* sum, const double* weighted) {
    const double a = walkers.values[static_cast<std::size_t>(i)];
    const std::int64_t at = i * rows.width;
    for (std::int64_t c = rows.begin; c < rows.end; ++c) {
      if (y) y[at + c] = static_cast<T>(static_cast<compute_t<T>>(a * sum[c - rows.begin] + weighted[c - rows.begin]));
      if (d) d[i] += wide(others[at + c]) * sum[c - rows.begin];
    }
  });
}

// The numbers of all blocks of columns added up, N x L.
Tensor gathered(const std::vector<double>& parts, const Shape& shape, std::int64_t blocks, DType type) {
  const auto length = static_cast<std::size_t>(shape[1]);
  std::vector<double> total(static_cast<std::size_t>(shape.elements()));
  for (std::size_t i = 0; i < parts.size(); ++i)
    total[i / (length * static_cast<std::size_t>(blocks)) * length + i % length] += parts[i];
  return Tensor::from(total, shape).to(type);
}

struct ReluPairs {
  static constexpr std::string_view name = "relu_pairs";
  static constexpr Policy policy = Policy::statistic;

  Shapes infer(const Shapes& in) const {
    const Shape &a = in[0], &b = in[1], &v = in[2];
    check(a.rank() == 2 && b.rank() == 2 && a[0] == b[0], name, ": expected a and b of N x L and N x S, got ", a, " and ", b);
    check(v.rank() == 3 && v[0] == b[0] && v[1] == b[1], name, ": expected values ", b, " x C, got ", v);
    return {{a[0], a[1], v[2]}};
  }

  Tensors forward(Context& ctx, const Tensors& in) const {
    const Tensor v = in[2].contiguous(Layout::row_major);
    Tensor y = Tensor::zeros({v.dim(0), in[0].dim(1), v.dim(2)}, v.dtype());
    const auto a = sides_of(in[0]), b = sides_of(in[1]);
    dispatch_compute(v.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      for_each_block(v.dim(0), v.dim(2), [&](std::int64_t n, std::int64_t begin, std::int64_t end, std::int64_t) {
        const Rows<T> rows{v.data<T>() + n * v.dim(1) * v.dim(2), v.dim(2), begin, end};
        const auto s = static_cast<std::size_t>(n);
        weigh<T>(a[s], b[s], rows, y.data<T>() + n * y.dim(1) * y.dim(2), nullptr, nullptr);
      });
    });
    ctx.save({in[0], in[1], v});
    return {y};
  }

  // Keys and queries exchange roles: dv_j = sum_i relu(a_i + b_j) g_i.
  Tensors backward(Context& ctx, const Tensors& grads) const {
    const Tensor &v = ctx.saved(2), g = grads[0].to(v.dtype()).contiguous(Layout::row_major);
    const auto a = sides_of(ctx.saved(0)), b = sides_of(ctx.saved(1));
    Tensor dv = ctx.needs(2) ? Tensor::zeros(v.shape(), v.dtype()) : Tensor();
    const std::int64_t blocks = (v.dim(2) + kColumns - 1) / kColumns;
    std::vector<double> da(ctx.needs(0) ? static_cast<std::size_t>(ctx.saved(0).size() * blocks) : 0);
    std::vector<double> db(ctx.needs(1) ? static_cast<std::size_t>(ctx.saved(1).size() * blocks) : 0);
    dispatch_compute(v.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      for_each_block(v.dim(0), v.dim(2), [&](std::int64_t n, std::int64_t begin, std::int64_t end, std::int64_t block) {
        const auto s = static_cast<std::size_t>(n);
        const std::int64_t job = n * blocks + block;
        const Rows<T> values{v.data<T>() + n * v.dim(1) * v.dim(2), v.dim(2), begin, end};
        const Rows<T> given{g.data<T>() + n * g.dim(1) * g.dim(2), v.dim(2), begin, end};
        if (!da.empty()) weigh<T>(a[s], b[s], values, nullptr, given.data, da.data() + job * g.dim(1));
        if (dv.defined() || !db.empty())
          weigh<T>(b[s], a[s], given, dv.defined() ? dv.data<T>() + n * v.dim(1) * v.dim(2) : nullptr, values.data,
                   db.empty() ? nullptr : db.data() + job * v.dim(1));
      });
    });
    Tensors out(3);
    if (!da.empty()) out[0] = gathered(da, ctx.saved(0).shape(), blocks, ctx.saved(0).dtype());
    if (!db.empty()) out[1] = gathered(db, ctx.saved(1).shape(), blocks, ctx.saved(1).dtype());
    out[2] = dv;
    return out;
  }

  std::int64_t multiply_adds(const Shapes& in, const Shapes&) const { return 2 * (in[0][1] + in[1][1]) * in[2][0] * in[2][2]; }
};

}  // namespace

Var relu_pairs(const Var& a, const Var& b, const Var& v) { return apply(ReluPairs{}, {a, b, v}); }

}  // namespace fovea
