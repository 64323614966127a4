// Attention over 4096 tokens, 8 heads of 64, f32, against what oneDNN reaches in a product of 1024 x 1024 matrices in the same run.
#include "modules/ops/attention.hpp"

#include <fmt/core.h>

#include "modules/core/dnnl.hpp"
#include "modules/core/random.hpp"
#include "modules/core/threads.hpp"
#include "tests/bench/bench.hpp"

namespace fovea::bench {
namespace {

Tensor normal_values(const Shape& shape, std::uint64_t seed) {
  Tensor t = Tensor::empty(shape);
  Random(seed).fill_normal(t, 0, 1);
  return t;
}

}  // namespace

void attention(Report& report) {
  const Shape shape{1, 8, 4096, 64};
  const Tensor a = normal_values({1024, 1024}, 1), b = normal_values({1024, 1024}, 2);
  Tensor c = Tensor::empty({1024, 1024});
  const Var q(normal_values(shape, 3), true), k(normal_values(shape, 4), true), v(normal_values(shape, 5), true);
  const Tensor seed = normal_values(shape, 6);
  const double product = 1024.0 * 1024 * 1024, forward = 2.0 * 8 * 4096 * 4096 * 64;
  for (const int width : {1, 2}) {
    if (width > cpu_budget()) {
      report.skip(fmt::format("attention.f32.threads{}", width), "one processor");
      continue;
    }
    const ThreadScope thread_scope(width);
    const Times t = interleaved(7, {timed([&] {
                                      for (int i = 0; i < 16; ++i)
                                        check(dnn::matmul(a, b, {}, c), "bench: oneDNN has no product");
                                    }),
                                    timed([&] {
                                      const NoGrad no_grad;
                                      fovea::attention(q, k, v);
                                    }),
                                    timed([&] { fovea::attention(q, k, v).backward(seed); }), timed([&] {
                                      const NoGrad no_grad;
                                      fovea::attention_received(q, k, v);
                                    })});
    const double rate = 16 * product / t.median(0), same_work = 16 * product / forward;
    report.note(fmt::format("attention.f32.matmul_gflops.threads{}", width), 2e-9 * rate);
    report.at_most(fmt::format("attention.f32.matmul_rate_over_forward.threads{}", width), t.over(1, 0).times(same_work),
                   1 / 0.65);
    report.at_most(fmt::format("attention.f32.received/forward.threads{}", width), t.over(3, 1), 1.10);
    report.note(fmt::format("attention.f32.forward_share.threads{}", width), forward / t.median(1) / rate);
    // Five products backward, and the scores once more forward: 2 + 5.
    report.note(fmt::format("attention.f32.step_share.threads{}", width), 3.5 * forward / t.median(2) / rate);
  }
}

}  // namespace fovea::bench
