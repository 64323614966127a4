#include <cstdio>

#include "modules/core/tensor.hpp"

int main() {
  const fovea::Tensor x = fovea::Tensor::full({1, 3, 4, 4}, 0.5);
  std::printf("%lld values, first %.1f\n", static_cast<long long>(x.size()), x.values().front());
  return x.size() == 48 ? 0 : 1;
}
