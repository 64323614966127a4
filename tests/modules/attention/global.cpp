// Non-local blocks, global context, attention gates: gradients of every variant, and what can be said by hand.
#include <algorithm>

#include "modules/nn/training.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_block.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using namespace fovea::test;
using V = std::vector<double>;

namespace {

bool refuses(const std::string& name, const Options& options, const std::string& text, const Args::Lists& lists = {}) {
  return fails_with([&] { make_block(name, 6, options, lists); }, text);
}

double sum_of(const Tensor& t) {
  double sum = 0;
  for (const double v : t.values()) sum += v;
  return sum;
}

}  // namespace

TEST_CASE("non_local: gradients of every variant") {
  const Tensor map = random_tensor({2, 6, 5, 4}, 1);
  for (const char* mode : {"gaussian", "embedded_gaussian", "dot_product", "concatenation"})
    for (const char* pooled : {"false", "true"})
      check_block("non_local", 6, {map}, {{"mode", mode}, {"sub_sample", pooled}, {"bn_layer", pooled}, {"out_bias", pooled}}, {},
                  {"net.phi.conv.bias"});
  check_block("non_local", 6, {map}, {{"scale", "channels"}, {"inter_channels", "2"}, {"zero_start", "false"}}, {},
              {"net.phi.conv.bias"});
}

TEST_CASE("non_local: maps, starts and messages") {
  const Precision precision(DType::f64);
  const Var x(random_tensor({2, 6, 5, 4}, 1));
  for (const char* mode : {"gaussian", "embedded_gaussian", "dot_product", "concatenation"}) {
    INFO(mode);
    const MadeBlock made = make_block("non_local", 6, {{"mode", mode}, {"sub_sample", "true"}});
    made.store->to(DType::f64);
    CHECK(max_difference((*made.block)(x).value(), x.value()) == 0);  // starts as the identity
    randomise(*made.store);
    const Tensor plain = (*made.block)(x).value(), map = tap_of(*made.block, {x}, "net.attention");
    CHECK(map.shape() == Shape{2, 1, 20, 4});
    TapScope taps("**");  // dot products take another way when their map is asked for
    CHECK(max_difference((*made.block)(x).value(), plain) < 1e-12);
    if (std::string(mode).find("gaussian") != std::string::npos) CHECK(sum_of(map) == Approx(40));
  }
  CHECK(refuses("non_local", {{"mode", "gausian"}}, "got 'gausian'"));
  CHECK(refuses("non_local", {{"scale", "sqrt"}}, "expected scale none, inter or channels"));
  CHECK(refuses("non_local", {{"reduction", "0"}}, "expected reduction above 0"));
}

TEST_CASE("global context: gradients of every variant, weights of positions, messages") {
  const Tensor map = random_tensor({2, 6, 5, 4}, 1);
  for (const char* pooling : {"att", "avg"})
    for (const std::vector<std::string>& fusion :
         {std::vector<std::string>{"channel_add"}, {"channel_mul"}, {"channel_mul", "channel_add"}})
      check_block("gc_context", 6, {map}, {{"ratio", "0.5"}, {"pooling", pooling}}, {{"fusion", fusion}}, {"net.conv_mask.bias"},
                  {.conditioning = 64});
  check_block("global_context", 6, {map}, {{"rd_channels", "3"}, {"fuse_add", "true"}}, {}, {"net.conv_attn.bias"},
              {.conditioning = 64});
  check_block("global_context", 6, {map}, {{"rd_ratio", "0.5"}, {"use_attn", "false"}, {"gate", "hard_sigmoid"}}, {},
              {"net.conv_attn.bias"}, {.conditioning = 64});
  const MadeBlock made = make_block("gc_context", 6, {}, {{"fusion", {"channel_add", "channel_mul"}}});
  const Var x(map.to(DType::f32));
  CHECK(sum_of(tap_of(*made.block, {x}, "net.spatial")) == Approx(2));
  CHECK(tap_of(*made.block, {x}, "net.channel").values() == V(12, 0.5));  // the last convolution starts at zero
  CHECK(refuses("gc_context", {{"pooling", "max"}}, "expected pooling att or avg, got 'max'"));
  CHECK(refuses("gc_context", {}, "expected fusion channel_add or channel_mul, got 'add'", {{"fusion", {"add"}}}));
  CHECK(refuses("global_context", {{"fuse_scale", "false"}}, "expected fuse_scale or fuse_add"));
}

TEST_CASE("DANet's attentions and their pair: gradients, starts, maps") {
  const Tensor map = random_tensor({2, 6, 3, 4}, 1, 0, 0.5);
  check_block("pam", 6, {map}, {{"reduction", "2"}}, {}, {"net.key_conv.bias"});
  check_block("cam", 6, {map});
  for (const char* position : {"lam_position", "kernel_attention", "pam"})
    check_block("pam_cam", 6, {map}, {{"position", position}, {"convolutions", "false"}, {"reduction", "2"}}, {},
                std::string(position) == "pam" ? std::set<std::string>{"net.PAM.key_conv.bias"} : std::set<std::string>{});
  check_block("pam_cam", 6, {map}, {{"reduction", "2"}});
  const Var x(map.to(DType::f32));
  for (const char* name : {"pam", "cam", "lam_position", "lam_channel", "kernel_attention"})
    CHECK((*make_block(name, 6).block)(x).value().values() == x.value().values());
  CHECK(sum_of(tap_of(*make_block("cam", 6).block, {x}, "net.attention")) == Approx(12));
  CHECK(tap_of(*make_block("pam_cam", 6).block, {x}, "net.PAM.spatial").shape() == Shape{2, 1, 3, 4});
  CHECK(refuses("pam_cam", {{"position", "cam"}}, "expected position"));
}

TEST_CASE("pam_cam drops whole channels in training") {
  const MadeBlock made = make_block("pam_cam", 6, {{"dropout", "0.5"}});
  const Var x(Tensor::full({4, 6, 4, 4}, 1));
  const auto still = (*made.block)(x).value().values();
  CHECK((*made.block)(x).value().values() == still);
  Random random(5);
  const Training training(random);
  CHECK((*made.block)(x).value().values() != still);
}

TEST_CASE("attention gates: gradients of every variant, sizes, messages") {
  const Tensor x = random_tensor({2, 6, 5, 7}, 1), g = random_tensor({2, 4, 5, 7}, 2), coarse = random_tensor({2, 4, 2, 3}, 3);
  check_block("attention_gate", 6, {x, g}, {{"gate_channels", "4"}, {"inter_channels", "5"}});
  check_block("attention_gate", 6, {x, x});
  for (const char* mode : {"concatenation", "concatenation_debug", "concatenation_residual"})
    for (const std::vector<std::string>& factor : {std::vector<std::string>{"1"}, {"2"}, {"2", "1"}, {"3", "2"}})
      check_block(
          "grid_attention_gate", 6, {x, coarse}, {{"gate_channels", "4"}, {"mode", mode}}, {{"sub_sample_factor", factor}},
          std::string(mode) == "concatenation_residual" ? std::set<std::string>{"net.psi.bias"} : std::set<std::string>{});
  const MadeBlock made = make_block("attention_gate", 6, {{"gate_channels", "4"}});
  const Var map(x.to(DType::f32)), gate(g.to(DType::f32)), small(coarse.to(DType::f32));
  CHECK(tap_of(*made.block, {map, gate}, "net.spatial").shape() == Shape{2, 1, 5, 7});
  CHECK(fails_with([&] { (*made.block)(Vars{map, small}); }, "expected a gating map of 5x7, got 2x3"));
  CHECK(fails_with([&] { (*made.block)(Vars{map}); }, "expected a map and its gating map, got 1 values"));
  CHECK(refuses("grid_attention_gate", {{"mode", "sum"}}, "expected mode concatenation"));
  CHECK(refuses("grid_attention_gate", {{"sub_sample_factor", "0"}}, "expected a sub_sample_factor"));
}
