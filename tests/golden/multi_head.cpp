// Scaled dot product, multi-head attention of PyTorch, timm and jadore801120, HeadDrop of neural_sp.
#include <algorithm>
#include <random>

#include "modules/attention/self/head_drop.hpp"
#include "tests/golden/modules.hpp"

namespace fovea::golden {
namespace {

bool given(const Case& c, const std::string& option) { return c.hyper.contains(option) && !c.hyper.at(option).is_null(); }

std::int64_t first_of(const Case& c, std::initializer_list<const char*> options) {
  for (const char* option : options)
    if (given(c, option)) return c.hyper.at(option).get<std::int64_t>();
  fail(c.module, ": expected an option ", *options.begin());
}

// For each place of the block's inputs, which of the file's inputs goes there: any of the names in `positions`.
using Positions = std::vector<std::vector<std::string>>;

// `block` with its inputs by name; what the file lacks is absent.
std::unique_ptr<Block> by_name(const Case& c, const Scope& s, std::shared_ptr<Block> block, const Positions& positions) {
  std::vector<std::size_t> to;
  for (const std::string& name : c.inputs) {
    std::size_t at = 0;
    const auto has = [&](const auto& names) { return std::find(names.begin(), names.end(), name) != names.end(); };
    while (at < positions.size() && !has(positions[at])) ++at;
    check(at < positions.size(), c.module, ": input '", name, "' is not known here");
    to.push_back(at);
  }
  return function(s, [=](const Vars& in) {
    Vars out;
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (out.size() <= to[i]) out.resize(to[i] + 1);
      out[to[i]] = in[i];
    }
    return (*block)(out);
  });
}

std::map<std::string, std::string> weights_tap(bool average) {
  const std::string tap = average ? "**attention_mean" : "**attention";
  return {{"weights", tap}, {"attn", tap}, {"attention", tap}, {"attn_weights", tap}, {"", tap}};
}

Subject scaled_dot_product(const Case& c, const Scope& s) {
  std::map<std::string, std::string> fixed;
  if (given(c, "scale") && c.hyper.at("scale").is_number()) fixed["scale"] = text(c.hyper.at("scale"));
  const bool causal = c.hyper.value("causal", c.hyper.value("is_causal", false));
  fixed["causal"] = causal ? "true" : "false";
  const Positions positions{{"q", "query"}, {"k", "key"}, {"v", "value"}, {"mask", "attn_mask"}};
  return {.block = by_name(c, s, make("scaled_dot_product", c, s, 1, {}, fixed), positions), .taps = weights_tap(false)};
}

Subject torch_multi_head(const Case& c, const Scope& s) {
  const std::vector<std::pair<std::string, std::string>> options{
      {"add_zero_attn", "add_zero_attn"}, {"is_causal", "causal"}, {"causal", "causal"}};
  std::map<std::string, std::string> fixed{{"batch_first", c.hyper.value("batch_first", false) ? "true" : "false"}};
  fixed["heads"] = std::to_string(first_of(c, {"num_heads", "n_heads", "heads"}));
  for (const char* name : {"kdim", "vdim"})
    if (given(c, name)) fixed[name] = text(c.hyper.at(name));
  fixed["bias"] = c.parameter("in_proj_bias").rank() > 0 ? "true" : "false";
  fixed["add_bias_kv"] = c.parameter("bias_k").rank() > 0 ? "true" : "false";
  const Positions positions{{"", "query", "q", "x"}, {"key", "k"}, {"value", "v"}, {"key_padding_mask"}, {"attn_mask", "mask"}};
  return {.block = by_name(c, s, make("multi_head", c, s, first_of(c, {"embed_dim", "dim"}), options, fixed), positions),
          .taps = weights_tap(c.hyper.value("average_attn_weights", true))};
}

Subject post_norm(const Case& c, const Scope& s) {
  std::map<std::string, std::string> fixed{{"bias", c.parameter("fc.bias").rank() > 0 ? "true" : "false"}};
  const Positions positions{{"", "q", "query", "x"}, {"k", "key"}, {"v", "value"}, {"mask"}};
  return {
      .block = by_name(
          c, s,
          make("post_norm_attention", c, s, c.hyper.at("d_model"),
               {{"n_head", "heads"}, {"d_k", "d_k"}, {"d_v", "d_v"}, {"residual", "residual"}, {"layer_norm_eps", "eps"}}, fixed),
          positions),
      .taps = weights_tap(false)};
}

Subject vit(const Case& c, const Scope& s) {
  std::map<std::string, std::string> fixed;
  for (const auto& [ours, theirs] : std::map<std::string, std::string>{
           {"qkv_bias", "qkv.bias"}, {"proj_bias", "proj.bias"}, {"qk_norm", "q_norm.weight"}, {"scale_norm", "norm.weight"}})
    fixed[ours] = c.parameter(theirs).rank() > 0 ? "true" : "false";
  const Positions positions{{"", "x", "input"}, {"attn_mask", "mask"}};
  return {.block = by_name(c, s, make("vit_attention", c, s, c.hyper.at("dim"), {{"num_heads", "heads"}}, fixed), positions),
          .taps = weights_tap(false)};
}

// Python's random.seed(seed), then random(): the Mersenne Twister seeded by an array of one word, 53 bits a number.
class PythonRandom {
 public:
  explicit PythonRandom(std::uint32_t seed) {
    const auto mixed = [&](std::size_t i, std::uint32_t factor) {
      return state_[i] ^ ((state_[i - 1] ^ (state_[i - 1] >> 30)) * factor);
    };
    state_[0] = 19650218u;
    for (std::size_t i = 1; i < kSize; ++i)
      state_[i] = 1812433253u * (state_[i - 1] ^ (state_[i - 1] >> 30)) + static_cast<std::uint32_t>(i);
    std::size_t i = 1;
    const auto next = [&] {
      if (++i >= kSize) state_[0] = state_[kSize - 1], i = 1;
    };
    for (std::size_t k = 0; k < kSize; ++k, next()) state_[i] = mixed(i, 1664525u) + seed;
    for (std::size_t k = 1; k < kSize; ++k, next()) state_[i] = mixed(i, 1566083941u) - static_cast<std::uint32_t>(i);
    state_[0] = 0x80000000u;
    std::stringstream words;
    for (const std::uint32_t word : state_) words << word << ' ';
    words << kSize;  // libstdc++ writes its position last
    words >> engine_;
  }
  double operator()() {
    const std::uint32_t a = static_cast<std::uint32_t>(engine_()) >> 5, b = static_cast<std::uint32_t>(engine_()) >> 6;
    return (a * 67108864.0 + b) / 9007199254740992.0;
  }

 private:
  static constexpr std::size_t kSize = 624;
  std::array<std::uint32_t, kSize> state_{};
  std::mt19937 engine_;
};

Subject head_drop_case(const Case& c, const Scope& s) {
  PythonRandom random(c.hyper.value("python_random_seed", c.hyper.value("seed", 0u)));
  const double dropout = c.hyper.at("dropout");
  std::vector<bool> alive;
  for (std::int64_t h = 0; h < first_of(c, {"n_heads", "num_heads"}); ++h) alive.push_back(random() >= dropout);
  return {.block = function(s, [=](const Vars& in) { return Vars{keep_heads(in[0], alive)}; })};
}

}  // namespace

void add_multi_head(Adapters& all) {
  all.add("scaled_dot_product_attention", "", scaled_dot_product);
  all.add("MultiheadAttention", "pytorch/pytorch", torch_multi_head);
  all.add("MultiHeadAttention", "jadore801120", post_norm);
  all.add("Attention", "pytorch-image-models", vit);
  all.add("headdrop", "", head_drop_case);
}

}  // namespace fovea::golden
