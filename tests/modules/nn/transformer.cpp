// Decoder layers: token by token with kept keys and values as whole sequences; masks; both orders of norms.
#include "modules/nn/transformer.hpp"

#include "modules/autograd/tap.hpp"
#include "modules/ops/slice.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

struct Made {
  std::shared_ptr<ParamStore> store = std::make_shared<ParamStore>(7);
  TransformerDecoder decoder;
  explicit Made(bool norm_first, const std::string& activation = "relu")
      : decoder(Scope(store) / "net", 2,
                {.width = 8, .heads = 2, .hidden = 12, .norm_first = norm_first, .activation = activation}, true) {
    store->to(DType::f64);
  }
};

Var tokens(const Shape& shape, std::uint64_t seed) { return random_tensor(shape, seed); }

}  // namespace

TEST_CASE("transformer decoder: token by token, or some at once, it gives what whole sequences give") {
  const Precision f64(DType::f64);
  const NoGrad no_grad;
  for (const bool norm_first : {false, true}) {
    const Made made(norm_first, norm_first ? "gelu" : "relu");
    const Var x = tokens({3, 7, 8}, 1), memory = tokens({3, 5, 8}, 2);
    const Tensor whole = made.decoder(x, memory).value();
    for (const std::vector<std::int64_t>& pieces :
         {std::vector<std::int64_t>{1, 1, 1, 1, 1, 1, 1}, std::vector<std::int64_t>{2, 1, 4}, std::vector<std::int64_t>{3, 4}}) {
      auto cache = made.decoder.start(memory);
      std::int64_t at = 0;
      for (const std::int64_t count : pieces) {
        const Tensor y = made.decoder.step(slice(x, 1, at, at + count), cache).value();
        CHECK(max_difference(y, whole.slice(1, at, at + count)) < 1e-12);
        at += count;
      }
      CHECK(cache[0].own.length() == 7);
      CHECK(cache[0].memory.length() == 5);
    }
  }
}

TEST_CASE("transformer decoder: a token sees neither what follows nor masked memory; its map's rows sum to 1") {
  const Precision f64(DType::f64);
  const NoGrad no_grad;
  const Made made(false);
  Tensor x = random_tensor({1, 4, 8}, 1), memory = random_tensor({1, 3, 8}, 2);
  Tensor keep = Tensor::full({1, 3}, 1, DType::boolean);
  keep.data<bool>()[2] = false;
  const Tensor before = made.decoder(Var(x.clone()), Var(memory.clone()), Var(keep)).value();
  x.slice(1, 2, 4).fill(3);
  memory.slice(1, 2, 3).fill(9);
  TapScope taps("**.multihead_attn.attention");
  const Tensor after = made.decoder(Var(x), Var(memory), Var(keep)).value();
  CHECK(max_difference(before.slice(1, 0, 2), after.slice(1, 0, 2)) < 1e-12);
  CHECK(max_difference(before.slice(1, 2, 4), after.slice(1, 2, 4)) > 1e-3);
  REQUIRE(taps.kept.size() == 2);
  CHECK(taps.kept[0].first == "net.layers.0.multihead_attn.attention");
  const auto map = taps.kept[0].second.value();
  CHECK(map.shape() == Shape{1, 2, 4, 3});
  const auto values = map.values();
  for (std::size_t i = 0; i < values.size(); i += 3) {
    CHECK(values[i] + values[i + 1] == Approx(1));
    CHECK(values[i + 2] == 0);
  }
  CHECK(fails_with(
      [&] {
        made.decoder(Var(x), Var(memory), Var(Tensor::zeros({1, 4}, DType::boolean)));
      },
      "expected a mask 1x3, got 1x4"));
}

TEST_CASE("transformer decoder layer: torch's names, and gradients") {
  const Made made(false);
  std::vector<std::string> names;
  for (const auto& e : made.store->entries()) names.push_back(e.name);
  for (const char* name :
       {"net.layers.1.self_attn.in_proj_weight", "net.layers.1.self_attn.out_proj.bias",
        "net.layers.0.multihead_attn.in_proj_bias", "net.layers.0.linear1.weight", "net.layers.0.norm3.bias", "net.norm.weight"})
    CHECK(std::find(names.begin(), names.end(), name) != names.end());
  CHECK(names.size() == 2 * (2 * 4 + 4 + 6) + 2);
  check_op("transformer decoder",
           [](const Vars& v) {
             auto store = std::make_shared<ParamStore>(7);
             const TransformerDecoder decoder(Scope(store) / "net", 1,
                                              {.width = 8, .heads = 2, .hidden = 12, .norm_first = true});
             if (v[0].state()->value.defined()) store->to(v[0].dtype());
             return Vars{decoder(v[0], v[1])};
           },
           {random_tensor({2, 4, 8}, 1), random_tensor({2, 3, 8}, 2)}, {.bf16 = false, .strided = false, .conditioning = 16});
}
