// relu_pairs against the explicit weights, gradients and memory included.
#include "modules/ops/relu_pairs.hpp"

#include <cmath>

#include "modules/core/memory.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/unary.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"

using namespace fovea;
using namespace fovea::test;
using V = std::vector<double>;

namespace {

Var by_weights(const Var& a, const Var& b, const Var& v) {
  return matmul(relu(reshape(a, {a.dim(0), a.dim(1), 1}) + reshape(b, {b.dim(0), 1, b.dim(1)})), v);
}

}  // namespace

TEST_CASE("relu_pairs") {
  for (const auto& [queries, keys, columns] : {std::tuple{7, 5, 3}, std::tuple{1, 1, 1}, std::tuple{40, 30, 130}})
    check_op("relu_pairs", [](const Vars& v) { return Vars{relu_pairs(v[0], v[1], v[2])}; },
             {random_tensor({2, queries}, 1), random_tensor({2, keys}, 2), random_tensor({2, keys, columns}, 3)},
             {.conditioning = 4,
              .bad = {{{{2, 3}, {3, 3}, {3, 3, 1}}, "expected a and b of N x L and N x S"},
                      {{{2, 3}, {2, 4}, {2, 3, 1}}, "expected values 2x4 x C, got 2x3x1"}}});
}

TEST_CASE("relu_pairs: by order and by weights agree, gradients too") {
  const Precision precision(DType::f64);
  std::vector<V> found;
  for (const auto& f : {relu_pairs, by_weights}) {
    // Equal numbers and pairs that add up to 0 among them.
    Vars in{Var(Tensor::from(V{0.5, -1, 2, 2, -0.25, -9}, {1, 6}), true),
            Var(Tensor::from(V{1, -0.5, 1, -2, 0.125}, {1, 5}), true), Var(random_tensor({1, 5, 70}, 3), true)};
    const Var y = f(in[0], in[1], in[2]);
    y.backward(random_tensor({1, 6, 70}, 4));
    found.push_back(y.value().values());
    for (const Var& v : in) found.push_back(v.grad().values());
  }
  for (std::size_t k = 0; k < 4; ++k)
    for (std::size_t i = 0; i < found[k].size(); ++i) CHECK(found[k][i] == Approx(found[k + 4][i]).margin(1e-13));
}

TEST_CASE("relu_pairs: what is no number shows where it takes part") {
  const Var v(Tensor::from(V{1, 2}, {1, 2, 1}));
  const auto of = [&](V a, V b) {
    return relu_pairs(Var(Tensor::from(a, {1, 2})), Var(Tensor::from(b, {1, 2})), v).value().values();
  };
  const V query = of({NAN, 1}, {0, 1}), key = of({1, 2}, {0, NAN});
  CHECK(std::isnan(query[0]));
  CHECK(query[1] == 5);
  CHECK((std::isnan(key[0]) && std::isnan(key[1])));
  CHECK(of({-INFINITY, 1}, {0, 1}) == V{0, 5});
}

TEST_CASE("relu_pairs: 65536 positions within 1 MB of the values") {
  const std::int64_t positions = 65536;
  const Var a(random_tensor({1, positions}, 1).to(DType::f32), true), b(random_tensor({1, positions}, 2).to(DType::f32), true),
      v(random_tensor({1, positions, 4}, 3).to(DType::f32), true);
  const Tensor seed = random_tensor({1, positions, 4}, 4).to(DType::f32);
  const std::size_t before = memory::stats().in_use, one = v.value().bytes();
  memory::reset_peak();
  relu_pairs(a, b, v).backward(seed);
  CHECK(memory::stats().peak - before < 4 * one + (std::size_t{1} << 20));
}
