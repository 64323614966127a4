// row_blocks: blocks of rows against all rows at once.
#include "modules/ops/row_blocks.hpp"

#include "modules/core/memory.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/permute.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/sparsemax.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

// sparsemax(q k^T + a number a row) v.
Var sparse(const Var& q, std::int64_t first, const Vars& others) {
  const Var rows = slice(others[2], 2, first, first + q.dim(2));
  return matmul(sparsemax(matmul(q, permute(others[0], {0, 1, 3, 2})) + rows, -1), others[1]);
}

Tensors inputs(std::int64_t length) {
  return {random_tensor({2, 2, length, 4}, 1), random_tensor({2, 2, 9, 4}, 2), random_tensor({2, 2, 9, 3}, 3),
          random_tensor({2, 1, length, 9}, 4)};
}

}  // namespace

TEST_CASE("row_blocks") {
  for (const std::int64_t rows : {1, 3, 100})
    check_op("row_blocks",
             [&](const Vars& v) {
               return Vars{row_blocks(sparse, v[0], {v[1], v[2], v[3]}, rows)};
             },
             inputs(7),
             {.bf16 = false,
              .conditioning = 8,
              .bad = {{{{2, 3, 4}, {1, 1, 4, 4}, {1, 1, 4, 4}, {1, 1, 3, 4}}, "expected rows N x h x L x d"}}});
}

TEST_CASE("row_blocks: blocks and all at once agree in bf16 too") {
  for (const DType type : {DType::f32, DType::bf16}) {
    const Precision precision(type);
    std::vector<Tensor> found;
    for (const bool blocks : {true, false}) {
      Vars in;
      for (const Tensor& t : inputs(7)) in.emplace_back(t.to(type), true);
      const Var y = blocks ? row_blocks(sparse, in[0], {in[1], in[2], in[3]}, 2) : sparse(in[0], 0, {in[1], in[2], in[3]});
      y.backward(random_tensor(y.shape(), 5).to(y.dtype()));
      found.push_back(y.value());
      for (const Var& v : in) found.push_back(v.grad());
    }
    for (std::size_t i = 0; i < 5; ++i) {
      CHECK(found[i].dtype() == found[i + 5].dtype());
      CHECK(max_difference(found[i], found[i + 5]) < (type == DType::bf16 ? 0.06 : 1e-5));
    }
  }
}

TEST_CASE("row_blocks: what is held on the way is that of one block") {
  const Var q(random_tensor({1, 1, 4096, 4}, 1).to(DType::f32), true), k(random_tensor({1, 1, 1024, 4}, 2).to(DType::f32), true),
      bias(Tensor::zeros({1, 1, 4096, 1}), true);
  const Tensor seed = random_tensor({1, 1, 4096, 4}, 3).to(DType::f32);
  const std::size_t before = memory::stats().in_use;
  memory::reset_peak();
  row_blocks(sparse, q, {k, k, bias}, 64).backward(seed);
  CHECK(memory::stats().peak - before < std::size_t{3} << 20);  // all scores: 16 MB
}
