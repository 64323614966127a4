#include "modules/core/random.hpp"

#include <cmath>

#include "tests/support/catch.hpp"

using namespace fovea;

namespace {

using Words = std::array<std::uint32_t, 4>;

// Salmon et al. 2011, written again for the test.
Words philox(Words c, std::uint32_t k0, std::uint32_t k1) {
  for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
    const std::uint64_t p = std::uint64_t{0xD2511F53u} * c[0], q = std::uint64_t{0xCD9E8D57u} * c[2];
    c = {static_cast<std::uint32_t>(q >> 32) ^ c[1] ^ k0, static_cast<std::uint32_t>(q),
         static_cast<std::uint32_t>(p >> 32) ^ c[3] ^ k1, static_cast<std::uint32_t>(p)};
  }
  return c;
}

}  // namespace

// Known answers of Random123 (kat_vectors, philox4x32 10).
TEST_CASE("random: Philox") {
  CHECK(philox({0, 0, 0, 0}, 0, 0) == Words{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u});
  CHECK(philox({~0u, ~0u, ~0u, ~0u}, ~0u, ~0u) == Words{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu});
  CHECK(philox({0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}, 0xa4093822u, 0x299f31d0u) ==
        Words{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u});
  Random random(0x299f31d0a4093822u, 0x0370734413198a2eu);
  for (std::uint32_t block = 0; block < 3; ++block)
    for (const std::uint32_t word : philox({block, 0, 0x13198a2eu, 0x03707344u}, 0xa4093822u, 0x299f31d0u))
      CHECK(random.next() == word);
  Random zero;
  CHECK(zero.next() == 0x6627e8d5u);
}

TEST_CASE("random: the state is everything") {
  Random a(42, 7);
  for (int i = 0; i < 13; ++i) a.normal();
  const Random::State state = a.state();
  std::vector<double> first, second;
  for (int i = 0; i < 50; ++i) first.push_back(i % 3 ? a.uniform() : static_cast<double>(a.below(1000)));
  Random b;
  b.restore(state);
  for (int i = 0; i < 50; ++i) second.push_back(i % 3 ? b.uniform() : static_cast<double>(b.below(1000)));
  CHECK(first == second);
  CHECK(a.state() == b.state());
  b.restore({.seed = 43, .stream = 7, .drawn = b.state().drawn});  // the same place in another sequence
  CHECK(a.next() != b.next());
  CHECK(Random(1, 0).next() != Random(1, 1).next());
  CHECK(Random(1, 0).next() != Random(2, 0).next());
}

TEST_CASE("random: distributions") {
  Random random(3);
  double mean = 0, square = 0, low = 1, high = 0;
  constexpr int kCount = 100000;
  for (int i = 0; i < kCount; ++i) {
    const double u = random.uniform(), n = random.normal();
    low = std::min(low, u), high = std::max(high, u);
    mean += n / kCount, square += n * n / kCount;
  }
  CHECK(low >= 0);
  CHECK(high < 1);
  CHECK(mean == Approx(0).margin(0.02));
  CHECK(square == Approx(1).margin(0.02));
  std::vector<int> counts(5);
  for (int i = 0; i < 5000; ++i) ++counts[static_cast<std::size_t>(random.below(5))];
  for (const int c : counts) CHECK(c == Approx(1000).margin(150));
  CHECK_THROWS_AS(random.below(0), Error);
  Tensor t = Tensor::empty({1000});
  random.fill_uniform(t, -2, 3);
  for (const double v : t.values()) REQUIRE((v >= -2 && v <= 3));
  // The same numbers at the same logical positions, whatever the layout.
  Tensor map = Tensor::empty({2, 3, 4, 5}, DType::f32, Layout::channels_last), rows = Tensor::empty({2, 3, 4, 5});
  Random(9).fill_normal(map, 0, 1);
  Random(9).fill_normal(rows, 0, 1);
  CHECK(map.values() == rows.values());
}
