#include "modules/ops/dropout.hpp"

#include <algorithm>
#include <numeric>

#include "modules/autograd/apply.hpp"
#include "modules/core/iterate.hpp"
#include "modules/core/simd.hpp"

namespace fovea {
namespace {

template <class T>
FOVEA_SIMD void keep_row(T* y, const T* x, const std::uint8_t* kept, compute_t<T> scale, std::int64_t n,
                         const std::array<std::int64_t, 3>& s) {
  if (s[0] == 1 && s[1] == 1 && s[2] == 1) {
    for (std::int64_t i = 0; i < n; ++i)
      y[i] = static_cast<T>(kept[i] ? static_cast<compute_t<T>>(x[i]) * scale : compute_t<T>(0));
  } else {
    for (std::int64_t i = 0; i < n; ++i)
      y[i * s[0]] = static_cast<T>(kept[i * s[2]] ? static_cast<compute_t<T>>(x[i * s[1]]) * scale : compute_t<T>(0));
  }
}

// What `kept` holds, times a factor; the rest is zero.
Tensor masked(const Tensor& x, const Tensor& kept, double factor, std::string_view name) {
  Tensor y = Tensor::like(x);
  dispatch_compute(x.dtype(), name, [&](auto zero) {
    using T = decltype(zero);
    const auto scale = static_cast<compute_t<T>>(factor);
    for_each_row<3>(x.shape(), {operand(y), operand(x), operand(kept)}, [&](std::int64_t n, const auto& p, const auto& s) {
      keep_row(static_cast<T*>(p[0]), static_cast<const T*>(p[1]), static_cast<const std::uint8_t*>(p[2]), scale, n, s);
    });
  });
  return y;
}

// 0 with the given probability, else 1. Value i takes draw i in row-major order: the choice depends neither on a layout nor on the threads.
Tensor draw_kept(const Shape& shape, double probability, Random& random) {
  Tensor kept = Tensor::empty(shape, DType::u8);
  const Random::State start = random.state();
  const double limit = probability * 4294967296.0;
  parallel_for(kept.size(), 16384, [&](std::int64_t begin, std::int64_t end) {
    Random own;
    own.restore({start.seed, start.stream, start.drawn + static_cast<std::uint64_t>(begin)});
    for (std::int64_t i = begin; i < end; ++i) kept.data<std::uint8_t>()[i] = static_cast<double>(own.next()) >= limit;
  });
  random.restore({start.seed, start.stream, start.drawn + static_cast<std::uint64_t>(kept.size())});
  return kept;
}

struct Dropout {
  static constexpr std::string_view name = "dropout";
  static constexpr Policy policy = Policy::statistic;  // follows its input
  double probability;
  Random* random;

  Shapes infer(const Shapes& in) const { return in; }

  bool training_only() const { return true; }

  Tensors forward(Context& c, const Tensors& in) const {
    const Tensor kept = draw_kept(in[0].shape(), probability, *random).contiguous(in[0].layout());
    c.save({kept});
    return {masked(in[0], kept, 1 / (1 - probability), name)};
  }
  Tensors backward(Context& c, const Tensors& grads) const { return {masked(grads[0], c.saved(0), 1 / (1 - probability), name)}; }
};

struct DropBlock {
  static constexpr std::string_view name = "drop_block";
  static constexpr Policy policy = Policy::statistic;  // follows its input
  double probability;
  int block;
  Random* random;

  Shapes infer(const Shapes& in) const { return in; }

  bool training_only() const { return true; }

  // Blocks begin where all of them lies on the map, as often as drops `probability` of its values where they do not overlap.
  Tensor draw(const Shape& shape) const {
    const std::int64_t h = shape[2], w = shape[3], bh = std::min<std::int64_t>(block, h), bw = std::min<std::int64_t>(block, w);
    const std::int64_t rows = h - bh + 1, columns = w - bw + 1;
    const double starts = probability * static_cast<double>(h * w) / static_cast<double>(bh * bw * rows * columns);
    const Tensor apart = draw_kept({shape[0], shape[1], rows, columns}, std::min(starts, 1.0), *random);
    Tensor kept = Tensor::full(shape, 1, DType::u8);
    parallel_for(shape[0] * shape[1], 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin * rows * columns; i < end * rows * columns; ++i) {
        if (apart.data<std::uint8_t>()[i]) continue;
        const std::int64_t plane = i / (rows * columns), y = i / columns % rows, x = i % columns;
        for (std::int64_t row = y; row < y + bh; ++row)
          std::fill_n(kept.data<std::uint8_t>() + (plane * h + row) * w + x, bw, std::uint8_t{0});
      }
    });
    return kept;
  }

  // Keeps the mean of the whole map, whatever was drawn.
  static double factor(const Tensor& kept) {
    const auto* values = kept.data<std::uint8_t>();
    const auto left = std::accumulate(values, values + kept.size(), std::int64_t{0});
    return left == 0 ? 0 : static_cast<double>(kept.size()) / static_cast<double>(left);
  }

  Tensors forward(Context& c, const Tensors& in) const {
    const Tensor kept = draw(in[0].shape()).contiguous(in[0].layout());
    c.save({kept});
    return {masked(in[0], kept, factor(kept), name)};
  }
  Tensors backward(Context& c, const Tensors& grads) const { return {masked(grads[0], c.saved(0), factor(c.saved(0)), name)}; }
};

}  // namespace

Var dropout(const Var& x, double probability, bool training, Random& random) {
  check(probability >= 0 && probability < 1, "dropout: expected a probability in [0, 1), got ", probability);
  return training && probability > 0 ? apply(Dropout{probability, &random}, {x}) : x;
}

Var drop_block(const Var& x, double probability, int block, bool training, Random& random) {
  check(probability >= 0 && probability < 1, "drop_block: expected a probability in [0, 1), got ", probability);
  check(block >= 1, "drop_block: expected a side of at least 1, got ", block);
  check(x.shape().rank() == 4, "drop_block: expected a map (N, C, H, W), got ", x.shape());
  return training && probability > 0 ? apply(DropBlock{probability, block, &random}, {x}) : x;
}

}  // namespace fovea
