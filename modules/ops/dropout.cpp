#include "modules/ops/dropout.hpp"

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

struct Dropout {
  static constexpr std::string_view name = "dropout";
  static constexpr Policy policy = Policy::statistic;  // follows its input
  double probability;
  Random* random;

  Shapes infer(const Shapes& in) const { return in; }

  bool training_only() const { return true; }

  Tensor masked(const Tensor& x, const Tensor& kept) const {
    Tensor y = Tensor::like(x);
    dispatch_compute(x.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      const auto scale = static_cast<compute_t<T>>(1 / (1 - probability));
      for_each_row<3>(x.shape(), {operand(y), operand(x), operand(kept)}, [&](std::int64_t n, const auto& p, const auto& s) {
        keep_row(static_cast<T*>(p[0]), static_cast<const T*>(p[1]), static_cast<const std::uint8_t*>(p[2]), scale, n, s);
      });
    });
    return y;
  }

  Tensors forward(Context& c, const Tensors& in) const {
    // Value i takes draw i in row-major order: the choice depends neither on the layout nor on the threads.
    Tensor kept = Tensor::empty(in[0].shape(), DType::u8);
    const Random::State start = random->state();
    const double limit = probability * 4294967296.0;
    parallel_for(kept.size(), 16384, [&](std::int64_t begin, std::int64_t end) {
      Random own;
      own.restore({start.seed, start.stream, start.drawn + static_cast<std::uint64_t>(begin)});
      for (std::int64_t i = begin; i < end; ++i) kept.data<std::uint8_t>()[i] = static_cast<double>(own.next()) >= limit;
    });
    random->restore({start.seed, start.stream, start.drawn + static_cast<std::uint64_t>(kept.size())});
    kept = kept.contiguous(in[0].layout());
    c.save({kept});
    return {masked(in[0], kept)};
  }
  Tensors backward(Context& c, const Tensors& grads) const { return {masked(grads[0], c.saved(0))}; }
};

}  // namespace

Var dropout(const Var& x, double probability, bool training, Random& random) {
  check(probability >= 0 && probability < 1, "dropout: expected a probability in [0, 1), got ", probability);
  return training && probability > 0 ? apply(Dropout{probability, &random}, {x}) : x;
}

}  // namespace fovea
