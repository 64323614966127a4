// Blocks over many positions: the N x N weights are not held, forward or backward, unless somebody asks for them.
#include "modules/core/memory.hpp"

#include <algorithm>

#include "modules/attention/self/tokens.hpp"
#include "modules/autograd/tap.hpp"
#include "modules/nn/registry.hpp"
#include "modules/nn/training.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_block.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

constexpr std::int64_t kSide = 96, kChannels = 8;

struct Large {
  std::string name;
  Options options;
  Args::Lists lists;
  std::size_t megabytes = 12;  // 9216 positions: one matrix of weights has 324
};

std::vector<Large> examples() {
  return {
      {"pam", {}, {}},
      {"pam_cam", {{"position", "pam"}}, {}},
      {"non_local", {{"mode", "gaussian"}}, {}},
      {"non_local", {{"mode", "embedded_gaussian"}}, {}},
      {"non_local", {{"mode", "dot_product"}}, {}},
      {"non_local", {{"mode", "concatenation"}}, {}},
      {"generalized_attention", {{"heads", "1"}, {"kv_stride", "1"}}, {}, 96},  // 192 + 8 numbers a query and a key
      {"generalized_attention", {{"heads", "1"}, {"kv_stride", "1"}, {"spatial_range", "9"}, {"terms", "1010"}}, {}, 96},
      {"multi_head", {}, {}},
      {"vit_attention", {{"attn_drop", "0.1"}}, {}},
      {"post_norm_attention", {}, {}},
      {"linformer", {{"heads", "1"}, {"length", "9216"}}, {}, 48},  // of it 19 are the mixing matrices and their gradients
      {"sparse_attention", {{"heads", "1"}}, {{"pattern", {"local"}}}},
      {"sparse_attention", {{"heads", "1"}}, {{"pattern", {"fixed"}}}},
      {"sparse_attention", {{"heads", "1"}, {"bidirectional", "false"}}, {{"pattern", {"strided"}}}},
      {"adaptive_sparse", {{"heads", "1"}, {"alpha", "softmax"}}, {}},
  };
}

Var run(const std::string& name, const Block& block, const Var& x) {
  if (Registry::global().at(name).kind != Kind::tokens) return block(x);
  return to_map(block(to_tokens(x)), x.dim(2), x.dim(3));
}

// Bytes at the peak of a forward and a backward pass, beyond what was there.
std::size_t peak_of(const Large& e, const Shape& shape) {
  const MadeBlock made = make_block(e.name, kChannels, e.options, e.lists);
  const Var x(random_tensor(shape, 1).to(DType::f32), true);
  const Tensor seed = random_tensor(shape, 2).to(DType::f32);
  Random random(3);
  const Training training(random);
  const std::size_t before = memory::stats().in_use;
  memory::reset_peak();
  run(e.name, *made.block, x).backward(seed);
  return memory::stats().peak - before;
}

}  // namespace

TEST_CASE("self: no block holds its weights over 9216 positions") {
  for (const Large& e : examples()) {
    std::string what = e.name;
    for (const auto& [key, value] : e.options) what += " " + key + "=" + value;
    INFO(what);
    CHECK(peak_of(e, {1, kChannels, kSide, kSide}) < e.megabytes << 20);
  }
}

// Entmax wants whole rows: a block of them is a quarter of all here, and some five such values are there on the way.
TEST_CASE("self: adaptive_sparse holds some rows of its weights at a time") {
  const std::size_t all = 2 * (std::size_t{4} << 24);  // the weights of two heads, 4096 x 4096
  CHECK(peak_of({"adaptive_sparse", {{"heads", "2"}}, {}}, {1, kChannels, 64, 64}) < all);
}

TEST_CASE("self: weights that are asked for are there") {
  for (const Large& e : examples()) {
    INFO(e.name);
    const MadeBlock made = make_block(e.name, kChannels, e.options, e.lists);
    const TapScope taps("net.**attention");
    run(e.name, *made.block, Var(random_tensor({2, kChannels, 6, 5}, 1).to(DType::f32)));
    const auto of_places = [](const auto& kept) { return kept.second.dim(2) == 30; };
    CHECK(std::any_of(taps.kept.begin(), taps.kept.end(), of_places));
  }
}
