// CATALOGUE 6: monotonic attention.
#include <algorithm>

#include "modules/ops/permute.hpp"
#include "tests/golden/rename.hpp"

namespace fovea::golden {
namespace {

using Options = std::map<std::string, std::string>;
using Names = std::vector<std::vector<std::string>>;

// Masks are bytes in some files.
Var as_mask(const std::string& name, const Var& v) {
  const bool bytes = name.find("mask") != std::string::npos && v.state()->value.defined() && !is_floating(v.dtype());
  return bytes && v.dtype() != DType::boolean ? Var(v.value().to(DType::boolean)) : v;
}

// The block with its inputs by name, absent where the file has none of the names of a place.
Subject by_name(const Case& c, const Scope& s, std::shared_ptr<Block> block, const Names& places) {
  std::vector<std::size_t> to;
  for (const std::string& name : c.inputs) {
    std::size_t at = 0;
    while (at < places.size() && std::find(places[at].begin(), places[at].end(), name) == places[at].end()) ++at;
    check(at < places.size(), c.module, ": input '", name, "' is not known here");
    to.push_back(at);
  }
  return {.block = function(s, [=](const Vars& in) {
            Vars out(1 + *std::max_element(to.begin(), to.end()));
            for (std::size_t i = 0; i < in.size(); ++i) out[to[i]] = as_mask(c.inputs[i], in[i]);
            return (*block)(out);
          })};
}

Subject energy(const Case& c, const Scope& s) {
  return by_name(c, s,
                 make("monotonic_energy", c, s, channels_of(c, "W.weight", 1), {},
                      {{"dec_dim", axis(c, "V.weight", 1)}, {"att_dim", axis(c, "b", 0)}}),
                 {{"encoder_outputs"}, {"decoder_h"}});
}

Options mocha_options(const Case& c, const std::string& at) {
  Options o{{"qdim", axis(c, at + "monotonic_energy.w_query.weight", 1)},
            {"adim", axis(c, at + "monotonic_energy.w_key.weight", 0)}};
  o["atype"] = has(c, at + "monotonic_energy.v.weight_v") ? "add" : "scaled_dot";
  o["conv1d"] = yes_no(has(c, at + "monotonic_energy.conv1d.weight"));
  if (has(c, at + "w_out.weight")) o["odim"] = axis(c, at + "w_out.weight", 0);
  // An energy without bias has none by head either; `add` always has that of its keys.
  if (o["atype"] == "scaled_dot") o["bias"] = yes_no(has(c, at + "monotonic_energy.w_key.bias"));
  else if (has(c, at + "w_value.weight")) o["bias"] = yes_no(has(c, at + "w_value.bias"));
  return o;
}

const std::vector<std::pair<std::string, std::string>> kMocha{{"chunk_size", "chunk_size"},
                                                              {"n_heads_mono", "heads_mono"},
                                                              {"n_heads_chunk", "heads_chunk"},
                                                              {"eps", "eps"},

                                                              {"no_denominator", "no_denominator"},
                                                              {"no_denom", "no_denominator"},
                                                              {"sharpening_factor", "sharpening_factor"},
                                                              {"share_chunkwise_attention", "share_chunkwise_attention"},
                                                              {"share_ca", "share_chunkwise_attention"},
                                                              {"dropout", "dropout"},
                                                              {"dropout_head", "dropout_head"}};

Subject mocha(const Case& c, const Scope& s) {
  Options options = mocha_options(c, "");
  const bool hard = hyper(c, {"mode"}, "").find("hard") != std::string::npos || c.module.find("hard") != std::string::npos;
  options["mode"] = hard ? "hard" : "parallel";
  options["noise_std"] = "0";
  Subject subject = by_name(c, s, make("mocha", c, s, channels_of(c, "monotonic_energy.w_key.weight", 1), kMocha, options),
                            {{"key"}, {"query"}, {"value"}, {"mask", "key_mask"}, {"aw_prev", "previous"}});
  subject.outputs = {"", "alpha"};
  subject.taps = {{"beta", "**attention"}, {"p_choose", "**p_choose"}, {"alpha", "**alpha"}};
  return subject;
}

Subject fairseq(const std::string& kind, const Case& c, const Scope& s) {
  const bool time_first = hyper(c, {"layout"}, "T,B,C").rfind("T", 0) == 0;
  Options options{{"kind", kind},
                  {"kdim", axis(c, "k_proj.weight", 1)},
                  {"energy_bias", yes_no(has(c, "energy_bias"))},
                  {"batch_first", yes_no(!time_first)},
                  {"mass_at", "end"},
                  {"mode", hyper(c, {"mode"}, "").find("hard") != std::string::npos ? "hard" : "parallel"}};
  std::shared_ptr<Block> block = make("monotonic_multi_head", c, s, channels_of(c, "q_proj.weight", 0),
                                      {{"heads", "heads"},
                                       {"num_heads", "heads"},
                                       {"eps", "eps"},
                                       {"mass_preservation", "mass_preservation"},
                                       {"waitk_lagging", "lagging"},
                                       {"lagging", "lagging"}},
                                      options);
  std::shared_ptr<Block> one = function(s, [block](const Vars& in) { return Vars{(*block)(in)[0]}; });
  Subject subject = by_name(c, s, one, {{"query"}, {"key"}, {"value"}, {"key_padding_mask", "padding_mask", "mask"}});
  subject.taps = {{"beta", "**attention"}, {"p_choose", "**p_choose"}, {"alpha", "**alpha"}};
  return subject;
}

Subject speech(const Case& c, const Scope& s) {
  const bool paper = has(c, "self_attn.entmax_alpha.pre_alpha");
  Options options{{"alpha", paper ? "sigmoid" : "direct"}, {"noise_std", "0"}};
  Subject subject = by_name(c, s,
                            make("sparse_monotonic", c, s, channels_of(c, "self_attn.query.weight", 1),
                                 {{"self_heads", "self_heads"},
                                  {"mono_heads", "mono_heads"},
                                  {"chunk_heads", "chunk_heads"},
                                  {"chunk_size", "chunk_size"},
                                  {"mode", "mode"}},
                                 options),
                            {{"x"}, {"y"}, {"mask", "x_mask"}});
  subject.outputs = {"", "encoded", "alpha"};
  subject.taps = {
      {"beta", "**mono.attention"}, {"p_choose", "**p_choose"}, {"alpha", "**mono.alpha"}, {"weights", "**self_attn.attention"}};
  subject.rename = [paper](const std::string& name) -> std::string {
    const std::string own = paper ? "self_attn.entmax_alpha.pre_alpha" : "self_attn.entmax_alpha.alpha_chooser";
    return name != own && name.rfind("self_attn.entmax_alpha", 0) == 0 ? "" : name;  // the port stores the same values twice
  };
  return subject;
}

}  // namespace

void add_monotonic(Adapters& all) {
  all.add("monotonic_attention", "craffel/mad", [](const Case& c, const Scope& s) {
    return by_name(c, s, make("monotonic_alignment", c, s, 1, {{"mode", "mode"}}),
                   {{"p_choose", "p_choose_i"}, {"previous_attention"}});
  });
  all.add("Energy", "MoChA-pytorch", energy);
  all.add("MoChA*", "neural_sp", mocha);
  all.add("MonotonicMultiheadAttentionHard*", "", [](const Case& c, const Scope& s) { return fairseq("hard", c, s); });
  all.add("MonotonicMultiheadAttentionInfiniteLookback", "",
          [](const Case& c, const Scope& s) { return fairseq("infinite_lookback", c, s); });
  for (const char* module : {"MonotonicMultiheadAttentionWaitk", "MonotonicMultiheadAttentionWaitK"})
    all.add(module, "", [](const Case& c, const Scope& s) { return fairseq("waitk", c, s); });
  all.add("adaptive sparse self-attention + monotonic*", "", speech);
}

}  // namespace fovea::golden
