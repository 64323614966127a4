// What oneDNN chose, and what the wrapper keeps.
#include "modules/core/dnnl.hpp"

#include "modules/core/random.hpp"
#include "modules/core/threads.hpp"
#include "tests/support/bf16.hpp"
#include "tests/support/catch.hpp"

namespace fovea {
namespace {

Tensor map(std::int64_t channels, DType dtype) {
  Tensor t = Tensor::empty({2, channels, 14, 13});
  Random random(3);
  random.fill_uniform(t, -1, 1);
  return t.contiguous(Layout::channels_last).to(dtype);
}

void check_widths(DType dtype) {
  const dnn::Conv conv{.pad_begin = {1, 1}, .pad_end = {1, 1}};
  for (std::int64_t c : {1, 3, 24, 40, 64}) {
    const Tensor x = map(c, dtype), w = Tensor::full({c, c, 3, 3}, 0.1);
    for (char pass : {'f', 'd', 'w'}) {
      const std::string name = dnn::conv_implementation(conv, pass, x, w, x);
      INFO(name_of(dtype) << ", " << c << " channels, pass " << pass << ": " << name);
      CHECK(name.find("ref") == std::string::npos);
      CHECK(name.find("none") == std::string::npos);
    }
  }
}

}  // namespace

TEST_CASE("a fast convolution is chosen at every width") { check_widths(DType::f32); }

TEST_CASE("a fast convolution is chosen at every width in bf16") {
  if (!test::has_bf16()) return;
  check_widths(DType::bf16);
}

TEST_CASE("reordered weights are kept until the tensor changes") {
  const dnn::Conv conv{.pad_begin = {1, 1}, .pad_end = {1, 1}};
  const Tensor x = map(32, DType::f32);
  Tensor w = Tensor::full({32, 32, 3, 3}, 0.1), y = Tensor::like(x);
  dnn::clear_caches();
  REQUIRE(dnn::conv_forward(conv, x, w, {}, {}, y));
  const auto first = dnn::cache_stats();
  REQUIRE(dnn::conv_forward(conv, x, w, {}, {}, y));
  CHECK(dnn::cache_stats().reorders == first.reorders);
  const double before = y.slice(0, 0, 1).slice(1, 0, 1).slice(2, 5, 6).slice(3, 5, 6).item();

  w.fill(0.2);
  w.touch();
  REQUIRE(dnn::conv_forward(conv, x, w, {}, {}, y));
  CHECK(dnn::cache_stats().weights == first.weights);  // the new copy took the old one's place
  CHECK(y.slice(0, 0, 1).slice(1, 0, 1).slice(2, 5, 6).slice(3, 5, 6).item() == Approx(2 * before).epsilon(1e-5));
}

TEST_CASE("copies of weights that are gone are dropped") {
  const dnn::Conv conv{};
  const Tensor x = map(32, DType::f32);
  Tensor y = Tensor::like(x);
  dnn::clear_caches();
  for (int i = 0; i < 20; ++i) {
    const Tensor w = Tensor::full({32, 32, 1, 1}, i);
    REQUIRE(dnn::conv_forward(conv, x, w, {}, {}, y));
  }
  CHECK(dnn::cache_stats().weights <= 2);
}

TEST_CASE("the primitive cache has a cap") {
  dnn::clear_caches();
  for (std::int64_t n = 1; n <= 1100; ++n) {
    const Tensor a = Tensor::full({n, 2}, 1), b = Tensor::full({2, 2}, 1);
    Tensor c = Tensor::empty({n, 2});
    REQUIRE(dnn::matmul(a, b, {}, c));
  }
  CHECK(dnn::cache_stats().primitives <= 1024);
  dnn::clear_caches();
}

}  // namespace fovea
