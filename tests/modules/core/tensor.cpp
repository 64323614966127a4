#include "modules/core/tensor.hpp"

#include <cmath>
#include <limits>

#include "modules/core/accumulate.hpp"
#include "modules/core/reduce.hpp"
#include "tests/support/catch.hpp"

using namespace fovea;
using V = std::vector<double>;

namespace {

Tensor counting(const Shape& shape, Layout layout = Layout::row_major) {
  std::vector<float> v(static_cast<std::size_t>(shape.elements()));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(i);
  return Tensor::from(v, shape).contiguous(layout);
}

}  // namespace

TEST_CASE("shapes") {
  const Shape s{2, 3, 4};
  CHECK(s.elements() == 24);
  CHECK(s.axis(-1) == 2);
  CHECK(s.without(1) == Shape{2, 4});
  CHECK(s.with(0, 7) == Shape{7, 3, 4});
  CHECK(s.str() == "2x3x4");
  CHECK(Shape{}.elements() == 1);
  CHECK(broadcast({3, 1, 5}, {4, 1}, "test") == Shape{3, 4, 5});
  CHECK(broadcast({0, 3}, {1, 3}, "test") == Shape{0, 3});
  CHECK_THROWS_AS(broadcast({3}, {4}, "test"), Error);
  CHECK_THROWS_AS(s.axis(3), Error);
  CHECK_THROWS_AS(Shape({-1, 2}).elements(), Error);
  CHECK_THROWS_AS(Shape({std::int64_t{1} << 40, std::int64_t{1} << 40}).elements(), Error);
  CHECK(dense_strides({2, 3, 4, 5}, Layout::channels_last) == Shape{60, 1, 15, 3});
}

TEST_CASE("tensor: views") {
  const Tensor t = counting({2, 3, 4});
  const Tensor p = t.permute({2, 0, 1});
  CHECK(p.shares_storage(t));
  CHECK(p.shape() == Shape{4, 2, 3});
  CHECK(p.values()[1] == 4);
  CHECK_FALSE(p.is_dense());
  CHECK(t.slice(1, 1, 2).values() == V{4, 5, 6, 7, 16, 17, 18, 19});
  CHECK(t.slice(2, 0, 4, 3).values() == V{0, 3, 4, 7, 8, 11, 12, 15, 16, 19, 20, 23});
  CHECK(t.slice(0, 1, 1).size() == 0);
  CHECK(counting({3, 1}).expand({2, 3, 2}).values() == V{0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2});
  CHECK_THROWS_AS(t.slice(0, 1, 3), Error);
  CHECK_THROWS_AS(t.permute({0, 1}), Error);
  CHECK_THROWS_AS(t.permute({0, 0, 1}), Error);
  CHECK_THROWS_AS(t.expand({2, 3, 5}), Error);
  CHECK_THROWS_AS(t.data<double>(), Error);
  CHECK_THROWS_AS(t.item(), Error);
}

TEST_CASE("tensor: reshape is a view where it can be") {
  const Tensor t = counting({2, 3, 4});
  CHECK(t.reshape({6, -1}).shares_storage(t));
  CHECK(t.reshape({2, 12}).slice(1, 2, 5).reshape({2, 3}).values() == V{2, 3, 4, 14, 15, 16});
  const Tensor turned = t.permute({1, 0, 2}).reshape({3, 8});
  CHECK_FALSE(turned.shares_storage(t));
  CHECK(turned.values()[4] == 12);
  CHECK(t.permute({1, 0, 2}).reshape({3, 2, 2, 2}).shares_storage(t));
  const Tensor map = counting({2, 3, 4, 5}, Layout::channels_last);
  const Tensor tokens = map.reshape({2, 3, 20});
  CHECK(tokens.shares_storage(map));
  CHECK(tokens.values() == map.values());
  CHECK(tokens.reshape({2, 3, 4, 5}).layout() == Layout::channels_last);
  CHECK(map.reshape({2, 60}).values() == map.values());
  CHECK(counting({1}).reshape({}).rank() == 0);
  CHECK(Tensor::empty({0, 3}).reshape({3, 0}).shape() == Shape{3, 0});
  CHECK_THROWS_AS(t.reshape({5, -1}), Error);
  CHECK_THROWS_AS(t.reshape({-1, -1}), Error);
}

TEST_CASE("tensor: layouts") {
  const Tensor rows = counting({2, 3, 4, 5}), map = rows.contiguous(Layout::channels_last);
  CHECK(map.layout() == Layout::channels_last);
  CHECK(map.values() == rows.values());
  CHECK(map.data<float>()[1] == rows.values()[20]);  // the second channel lies next
  CHECK(map.contiguous().shares_storage(map));
  CHECK(map.clone().layout() == Layout::channels_last);
  CHECK_FALSE(map.clone().shares_storage(map));
  CHECK(map.permute({0, 2, 3, 1}).is_dense(Layout::row_major));
  CHECK_FALSE(map.slice(3, 0, 2).is_dense());
  CHECK(Tensor::like(map.slice(0, 0, 1)).layout() == Layout::channels_last);
  CHECK(map.to(DType::f64).layout() == Layout::channels_last);
}

TEST_CASE("tensor: copies, fills and conversions") {
  Tensor t = Tensor::zeros({2, 3});
  t.slice(1, 1, 2).fill(7);
  CHECK(t.values() == V{0, 7, 0, 0, 7, 0});
  t.copy_from(Tensor::from(std::vector<double>{1, 2, 3}, {3}));
  CHECK(t.values() == V{1, 2, 3, 1, 2, 3});
  CHECK(Tensor::from(std::vector<float>{-1.7f, 2.9f}, {2}).to(DType::s32).values() == V{-1, 2});
  CHECK(Tensor::from(std::vector<float>{0, 0.5f, -2}, {3}).to(DType::boolean).values() == V{0, 1, 1});
  CHECK(Tensor::from(std::vector<std::int64_t>{3, 1 << 20}, {2}).to(DType::bf16).values() == V{3, 1 << 20});
  for (const DType type : {DType::f32, DType::bf16, DType::f64, DType::f16, DType::u8, DType::s8, DType::s32, DType::s64})
    CHECK(Tensor::full({2, 2}, 3, type).to(DType::f32).values() == V{3, 3, 3, 3});
  CHECK_THROWS_AS(t.copy_from(Tensor::zeros({4})), Error);
  CHECK_THROWS_AS(Tensor::from(std::vector<float>{1, 2}, {3}), Error);
  CHECK_THROWS_AS(Tensor::empty({std::int64_t{1} << 61}), Error);
  const auto before = t.storage()->version;
  t.touch();
  CHECK(t.storage()->version == before + 1);
}

TEST_CASE("bf16: rounding to nearest even") {
  auto bits = [](float v) { return bf16(v).bits; };
  CHECK(bits(1.0f) == 0x3f80);
  CHECK(bits(std::bit_cast<float>(0x3f808000u)) == 0x3f80);  // half way: to even
  CHECK(bits(std::bit_cast<float>(0x3f818000u)) == 0x3f82);
  CHECK(bits(std::bit_cast<float>(0x3f808001u)) == 0x3f81);
  CHECK(bits(std::numeric_limits<float>::infinity()) == 0x7f80);
  CHECK(bits(-std::numeric_limits<float>::max()) == 0xff80);  // rounds up to infinity
  CHECK(std::isnan(static_cast<float>(bf16(std::nanf("")))));
  CHECK(std::isnan(static_cast<float>(bf16(std::bit_cast<float>(0x7f800001u)))));  // a NaN whose upper half is infinity
  CHECK(bits(-0.0f) == 0x8000);
  CHECK(bits(std::bit_cast<float>(0x00010000u)) == 1);  // subnormal
}

TEST_CASE("f16: every pattern survives, rounding is to nearest even") {
  int wrong = 0;
  for (std::uint32_t i = 0; i < 65536; ++i) {
    f16 h;
    h.bits = static_cast<std::uint16_t>(i);
    const float v = h;
    if (std::isnan(v)) wrong += !std::isnan(static_cast<float>(f16(v)));
    else wrong += f16(v).bits != h.bits;
  }
  CHECK(wrong == 0);
  // Between two neighbours: below the middle down, above it up, on it to even.
  for (std::uint32_t i = 0; i < 0x7bff; ++i) {
    f16 low, high;
    low.bits = static_cast<std::uint16_t>(i), high.bits = static_cast<std::uint16_t>(i + 1);
    const float a = low, b = high, middle = a + (b - a) / 2;
    wrong += f16(middle).bits != (i % 2 == 0 ? i : i + 1);
    wrong += f16(std::nextafter(middle, 0.0f)).bits != i;
    wrong += f16(std::nextafter(middle, 1e9f)).bits != i + 1;
  }
  CHECK(wrong == 0);
  CHECK(static_cast<float>(f16(65504.0f)) == 65504.0f);
  CHECK(std::isinf(static_cast<float>(f16(65520.0f))));
  CHECK(static_cast<float>(f16(65519.0f)) == 65504.0f);
  CHECK(f16(std::numeric_limits<float>::infinity()).bits == 0x7c00);
  CHECK(f16(-1e-10f).bits == 0x8000);
  CHECK(static_cast<float>(f16(5.9604645e-8f)) == 5.9604644775390625e-8f);  // the smallest subnormal
}

TEST_CASE("accumulate: in place only when alone") {
  Tensor sum = Tensor::full({2, 2}, 1);
  const void* place = sum.raw();
  accumulate(sum, Tensor::full({2, 2}, 2));
  CHECK(sum.raw() == place);
  const Tensor shared = sum;
  accumulate(sum, Tensor::full({1, 1}, 5).expand({2, 2}));
  CHECK(shared.values() == V{3, 3, 3, 3});
  CHECK(sum.values() == V{8, 8, 8, 8});
  Tensor spread = Tensor::full({1}, 1).expand({3});  // one element seen three times must not be added to three times
  accumulate(spread, counting({3}));
  CHECK(spread.values() == V{1, 2, 3});
  CHECK_THROWS_AS(accumulate(sum, Tensor::zeros({2})), Error);
}

TEST_CASE("sum_to and max_over") {
  CHECK(sum_to(counting({2, 3}), {3}).values() == V{3, 5, 7});
  CHECK(sum_to(counting({2, 3}), {2, 1}).values() == V{3, 12});
  CHECK(sum_to(counting({2, 3}), {}).item() == 15);
  const Tensor map = counting({2, 3, 2, 2}, Layout::channels_last);
  CHECK(sum_to(map, {1, 3, 1, 1}).values() ==
        V{0 + 1 + 2 + 3 + 12 + 13 + 14 + 15, 4 + 5 + 6 + 7 + 16 + 17 + 18 + 19, 8 + 9 + 10 + 11 + 20 + 21 + 22 + 23});
  Tensor positions;
  CHECK(max_over(map, {false, true, true, true}, &positions).values() == V{11, 23});
  CHECK(positions.values() == V{11, 11});
}
