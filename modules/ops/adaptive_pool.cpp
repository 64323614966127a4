#include "modules/ops/adaptive_pool.hpp"

#include "modules/ops/matmul.hpp"
#include "modules/ops/permute.hpp"

namespace fovea {
namespace {

// 1 x 1 x size x cells: column i holds 1 / length in the rows that cell i covers. A mean along an axis is then a product.
Var averaging(std::int64_t size, std::int64_t cells, DType dtype) {
  Tensor m = Tensor::zeros({1, 1, size, cells}, DType::f64);
  for (std::int64_t i = 0; i < cells; ++i) {
    const std::int64_t begin = i * size / cells, end = ((i + 1) * size + cells - 1) / cells;
    for (std::int64_t k = begin; k < end; ++k) m.data<double>()[k * cells + i] = 1.0 / static_cast<double>(end - begin);
  }
  return Var(m.to(dtype));
}

}  // namespace

Var adaptive_avg_pool2d(const Var& x, std::int64_t height, std::int64_t width) {
  check(x.shape().rank() == 4 && height > 0 && width > 0, "adaptive_avg_pool2d: expected (N, C, H, W) and a grid, got ",
        x.shape(), " and ", height, "x", width);
  const Var rows = matmul(x, averaging(x.dim(3), width, x.dtype()));                                          // N C H w
  return permute(matmul(permute(rows, {0, 1, 3, 2}), averaging(x.dim(2), height, x.dtype())), {0, 1, 3, 2});  // N C h w
}

}  // namespace fovea
