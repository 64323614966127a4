#include <algorithm>

#include "modules/attention/self/features.hpp"
#include "modules/attention/self/linear_product.hpp"
#include "modules/attention/self/token_inputs.hpp"
#include "modules/ops/permute.hpp"
#include "tests/golden/modules.hpp"

namespace fovea::golden {
namespace {

bool given(const Case& c, const std::string& option) { return c.hyper.contains(option) && !c.hyper.at(option).is_null(); }

// The module's inputs in the block's order; empty for a single one.
std::vector<std::string> order(const Case& c, const std::vector<std::string>& names) {
  std::vector<std::string> found;
  for (const std::string& name : names)
    if (std::find(c.inputs.begin(), c.inputs.end(), name) != c.inputs.end()) found.push_back(name);
  check(c.inputs.size() == 1 || found.size() == c.inputs.size(), c.module, ": inputs that are not known here");
  return c.inputs.size() == 1 ? std::vector<std::string>{} : found;
}

bool causal(const Case& c) { return c.module.find("Causal") != std::string::npos || c.hyper.value("causal", false); }

// True for the first lengths[n] of `count` keys.
Tensor key_mask(const std::vector<double>& lengths, std::int64_t count) {
  const auto rows = static_cast<std::int64_t>(lengths.size());
  Tensor mask = Tensor::zeros({rows, count}, DType::boolean);
  for (std::int64_t n = 0; n < rows; ++n)
    mask.slice(0, n, n + 1).slice(1, 0, static_cast<std::int64_t>(lengths[static_cast<std::size_t>(n)])).fill(1);
  return mask;
}

// Values with the mask that the file's key lengths stand for, from the options or from a last input.
Vars with_mask(const Case& c, Vars in) {
  std::vector<double> lengths;
  if (given(c, "key_lengths")) lengths = c.hyper.at("key_lengths").get<std::vector<double>>();
  if (in.back().shape().rank() == 1) lengths = in.back().value().values(), in.pop_back();
  if (!lengths.empty()) in.push_back(Var(key_mask(lengths, in.size() > 1 ? in[1].dim(1) : in[0].dim(1))));
  return in;
}

// "elu+1", "elu(x)+1", "ReLU()" and so on.
std::string feature_name(const Case& c, const std::string& option, const std::string& fallback) {
  if (!given(c, option)) return fallback;
  std::string name;
  for (const char letter : text(c.hyper.at(option)))
    if (std::isalpha(static_cast<unsigned char>(letter))) name += static_cast<char>(std::tolower(letter));
    else if (!name.empty() && name != "nn" && name != "torch") break;
    else name.clear();
  return name;
}

Subject linear_core(const Case& c, const Scope& s) {
  const FeatureMap feature = feature_map(feature_name(c, "feature_map", "elu"));
  const LinearProduct options{.outer_eps = c.hyper.value("eps", 1e-6), .causal = causal(c)};
  return {.block = function(s,
                            [=](const Vars& in) {
                              const auto heads_first = [](const Var& v) { return permute(v, {0, 2, 1, 3}); };
                              Vars given = with_mask(c, in);
                              const Var mask = given.size() > 3 ? given[3] : Var();
                              const Var k = keep_keys(feature(heads_first(given[1])), mask);
                              const Var y = linear_product(feature(heads_first(given[0])), k, heads_first(given[2]), options);
                              return Vars{heads_first(y)};
                            }),
          .inputs = order(c, {"queries", "keys", "values", "key_lengths"})};
}

Subject linear_layer(const Case& c, const Scope& s) {
  const Shape query = c.parameter("query_projection.weight"), key = c.parameter("key_projection.weight"),
              value = c.parameter("value_projection.weight");
  const std::int64_t heads = c.hyper.at("n_heads");
  const auto number = [](std::int64_t n) { return std::to_string(n); };
  std::shared_ptr<Block> block = make("linear_attention", c, s, query[1], {{"eps", "eps"}},
                                      {{"heads", number(heads)},
                                       {"d_keys", number(query[0] / heads)},
                                       {"d_values", number(value[0] / heads)},
                                       {"context_channels", number(key[1])},
                                       {"value_channels", number(value[1])},
                                       {"feature", feature_name(c, "feature_map", "elu")},
                                       {"causal", causal(c) ? "true" : "false"}});
  const bool self = c.inputs.size() == 1;
  return {.block = function(s, [=](const Vars& in) { return (*block)(with_mask(c, in)); }),
          .inputs = self ? std::vector<std::string>{} : order(c, {"queries", "keys", "values", "key_lengths"}),
          .rename = [](const std::string& name) { return name.rfind("inner_attention.", 0) == 0 ? std::string() : name; }};
}

Subject positions(const Case& c, const Scope& s, const std::string& block, std::map<std::string, std::string> options = {}) {
  const Shape value = c.parameter("value_conv.weight"), query = c.parameter("query_conv.weight");
  options["reduction"] = std::to_string(value[0] / query[0]);
  std::vector<std::pair<std::string, std::string>> named;
  if (block != "pam") named.emplace_back("eps", "eps");
  return {.block = make(block, c, s, value[0], named, options), .taps = {{"map", "attention"}}};
}

Subject linformer(const Case& c, const Scope& s) {
  const Shape mixing = c.parameter("proj_k");
  std::map<std::string, std::string> options{{"length", std::to_string(mixing[0])}, {"k", std::to_string(mixing[1])}};
  if (given(c, "dim_head")) options["dim_head"] = text(c.hyper.at("dim_head"));
  return {.block = make("linformer", c, s, c.parameter("to_q.weight")[1],
                        {{"heads", "heads"}, {"one_kv_head", "one_kv_head"}, {"share_kv", "share_kv"}}, options),
          .inputs = order(c, {"input", "x", "context"}),
          .taps = {{"map", "attention"}, {"attn", "attention"}}};
}

std::map<std::string, std::string> favor_options(const Case& c, const Shape& projection) {
  const bool projected = projection.rank() > 0 && !c.hyper.value("no_projection", false);
  std::string kernel = feature_name(c, "kernel", "softmax");
  if (c.hyper.value("generalized_attention", false) && kernel == "softmax") kernel = feature_name(c, "kernel_fn", "relu");
  std::map<std::string, std::string> options{{"kernel", projected ? kernel : "none"}, {"causal", causal(c) ? "true" : "false"}};
  if (projected) options["nb_features"] = std::to_string(projection[0]);
  for (const char* eps : {"eps", "kernel_epsilon", "kernel_eps"})
    if (given(c, eps)) options["eps"] = text(c.hyper.at(eps));
  return options;
}

// The reference keeps a counter of its redraws in some versions.
std::string without_counter(const std::string& name) {
  return name.find("calls_since_last_redraw") != std::string::npos ? std::string() : name;
}

Subject performer(const Case& c, const Scope& s) {
  const Shape projection = c.parameter("fast_attention.projection_matrix"), query = c.parameter("to_q.weight");
  auto options = favor_options(c, projection);
  const std::int64_t heads = c.hyper.value("heads", std::int64_t{8});
  options["heads"] = std::to_string(heads);
  options["dim_head"] = std::to_string(query[0] / heads);
  options["qkv_bias"] = c.parameter("to_q.bias").rank() > 0 ? "true" : "false";
  options["attn_out_bias"] = c.parameter("to_out.bias").rank() > 0 ? "true" : "false";
  return {.block = make("performer", c, s, query[1], {}, options),
          .inputs = order(c, {"input", "x", "context", "context_mask"}),
          .rename = without_counter};
}

}  // namespace

void add_linear(Adapters& all) {
  for (const char* module : {"LinearAttention", "CausalLinearAttention"}) {
    all.add(module, "fast-transformers", linear_core);
    all.add("AttentionLayer(" + std::string(module) + ")", "fast-transformers", linear_layer);
  }
  all.add("PositionLinearAttention", "", [](const Case& c, const Scope& s) { return positions(c, s, "lam_position"); });
  all.add("ChannelLinearAttention", "", [](const Case& c, const Scope& s) {
    return Subject{make("lam_channel", c, s, 1, {{"eps", "eps"}})};
  });
  for (const char* module : {"PAM_Module", "PAM_Module (softplus kernel attention)"}) {
    all.add(module, "MAResU-Net", [](const Case& c, const Scope& s) { return positions(c, s, "lam_position"); });
    all.add(module, "Multi-Attention-Network", [](const Case& c, const Scope& s) { return positions(c, s, "kernel_attention"); });
    all.add(module, "DANet", [](const Case& c, const Scope& s) { return positions(c, s, "pam"); });
  }
  all.add("CAM_Module", "", [](const Case& c, const Scope& s) {
    return Subject{.block = make("cam", c, s, 1), .taps = {{"map", "attention"}}};
  });
  all.add("LinformerSelfAttention", "", linformer);
  all.add("FastAttention", "", [](const Case& c, const Scope& s) {
    const Shape projection = c.parameter("projection_matrix");
    const std::int64_t width = projection.rank() > 0 ? projection[1] : c.hyper.at("dim_heads").get<std::int64_t>();
    return Subject{.block = make("favor", c, s, width, {}, favor_options(c, projection)),
                   .inputs = order(c, {"q", "k", "v"}),
                   .rename = without_counter};
  });
  all.add("SelfAttention", "performer", performer);
  all.add("CrossAttention", "performer", performer);
}

}  // namespace fovea::golden
