// CATALOGUE 5.9-5.11: sparse patterns, sparsemax and entmax, adaptively sparse attention.
#include "modules/ops/entmax.hpp"
#include "modules/ops/entmax15.hpp"
#include "modules/ops/permute.hpp"
#include "modules/ops/softmax.hpp"
#include "modules/ops/sparsemax.hpp"
#include "tests/golden/modules.hpp"

namespace fovea::golden {
namespace {

using Options = std::vector<std::pair<std::string, std::string>>;

// The first of the names that the file has among its hyper-parameters, as text; otherwise "".
std::string first_of(const Case& c, const std::vector<std::string>& names) {
  for (const std::string& name : names)
    if (c.hyper.contains(name) && !c.hyper.at(name).is_null()) return text(c.hyper.at(name));
  return "";
}

bool flag(const Case& c, const std::vector<std::string>& names, bool fallback) {
  const std::string given = first_of(c, names);
  return given.empty() ? fallback : given == "true" || given == "True" || given == "1";
}

// sparsemax, entmax15, entmax_bisect: x, and alpha as a number or as an input.
Subject distribution(const std::string& kind, const Case& c, const Scope& s) {
  const std::string axis_text = first_of(c, {"dim", "axis"});
  const int axis = axis_text.empty() ? -1 : std::stoi(axis_text);
  if (kind == "sparsemax") return {function(s, [axis](const Vars& in) { return Vars{sparsemax(in[0], axis)}; })};
  if (kind == "entmax15") return {function(s, [axis](const Vars& in) { return Vars{entmax15(in[0], axis)}; })};
  if (c.inputs.size() == 2) {
    const std::string alpha = c.inputs[0].find("alpha") != std::string::npos ? c.inputs[0] : c.inputs[1];
    const std::string x = alpha == c.inputs[0] ? c.inputs[1] : c.inputs[0];
    return {function(s, [axis](const Vars& in) { return Vars{entmax(in[0], in[1], axis)}; }), {x, alpha}};
  }
  const std::string given = first_of(c, {"alpha"});
  const double alpha = given.empty() ? 1.5 : std::stod(given);
  return {function(s, [axis, alpha](const Vars& in) { return Vars{entmax(in[0], alpha, axis)}; })};
}

// openai/sparse_attention: attention_impl(q, k, v, heads, attn_mode, local_attn_ctx), causal, no parameters.
Subject openai(const Case& c, const Scope& s) {
  const std::string mode = first_of(c, {"attn_mode", "pattern", "mode"}),
                    context = first_of(c, {"local_attn_ctx", "stride", "ctx"});
  std::map<std::string, std::string> options{{"pattern", mode.empty() ? "all" : mode},
                                             {"heads", first_of(c, {"heads", "n_head", "num_heads"})},
                                             {"projections", "false"},
                                             {"bidirectional", "false"}};
  if (!context.empty()) options["context"] = options["stride"] = context;
  // Without projections the block does not use the width, beyond asking that the heads divide it.
  return {make("sparse_attention", c, s, std::stoll(options["heads"]), {}, options), {"q", "k", "v"}};
}

// fairseq's SparseMultiheadAttention: T x B x C.
Subject fairseq(const Case& c, const Scope& s) {
  const std::string width = first_of(c, {"embed_dim", "dim"});
  std::shared_ptr<Block> block =
      make("sparse_attention", c, s, std::stoll(width),
           {{"num_heads", "heads"}, {"heads", "heads"}, {"stride", "stride"}, {"expressivity", "expressivity"}},
           {{"pattern", "fixed"},
            {"bidirectional", flag(c, {"is_bidirectional", "bidirectional"}, true) ? "true" : "false"},
            {"bias", c.parameter("q_proj.bias").rank() > 0 ? "true" : "false"}});
  const std::string layout = first_of(c, {"layout"});
  const bool batch_first = layout.rfind("B", 0) == 0;
  const auto turned = [batch_first](const Var& x) { return batch_first ? x : permute(x, {1, 0, 2}); };
  Subject subject{function(s, [block, turned](const Vars& in) {
    Vars turned_in;
    for (const Var& v : in) turned_in.push_back(v.shape().rank() == 3 ? turned(v) : v);
    return Vars{turned((*block)(turned_in)[0])};
  })};
  if (c.inputs.size() == 3) subject.inputs = {"query", "key", "value"};
  subject.taps = {{"mask", "**mask"}, {"weights", "**attention"}, {"attn", "**attention"}};
  return subject;
}

// Which of the names the parameter of the heads' alphas has in the file.
std::string alpha_name(const Case& c) {
  for (const char* name : {"entmax_alpha.alpha_chooser.pre_alpha", "entmax_alpha.pre_alpha", "alpha_chooser.pre_alpha",
                           "pre_alpha", "entmax_alpha.alpha_chooser", "alpha_chooser", "entmax_alpha.alpha", "alpha"})
    if (c.parameter(name).rank() > 0) return name;
  return "";
}

// prajjwal1/adaptive_transformer's BertAttention: alpha itself is learned; "pre_alpha" is the paper's 1 + sigmoid.
Subject adaptive(const Case& c, const Scope& s) {
  const std::string alpha = alpha_name(c);
  const bool paper = alpha.find("pre_alpha") != std::string::npos;
  const bool sparse = flag(c, {"sparse"}, true) && !alpha.empty();
  const Shape query = c.parameter("query.weight"), key = c.parameter("key.weight");
  std::shared_ptr<Block> block = make("adaptive_sparse", c, s, query[1], {{"heads", "heads"}, {"num_attention_heads", "heads"}},
                                      {{"alpha", sparse ? (paper ? "sigmoid" : "direct") : "softmax"},
                                       {"width", std::to_string(query[0])},
                                       {"context_channels", std::to_string(key[1])},
                                       {"bias", c.parameter("query.bias").rank() > 0 ? "true" : "false"}});
  // Inputs by what they are called: the tokens, the context, the additive mask.
  std::string tokens, context, mask;
  for (const std::string& name : c.inputs) {
    if (name.find("mask") != std::string::npos) mask = name;
    else if (name.find("context") != std::string::npos || name == "key" || name == "y") context = name;
    else tokens = name;
  }
  const bool has_context = !context.empty(), has_mask = !mask.empty();
  Subject subject{function(s, [block, has_context, has_mask](const Vars& in) {
    Vars all{in[0], has_context ? in[1] : Var()};
    if (has_mask) all.push_back(in.back());
    return Vars{(*block)(all)[0]};
  })};
  subject.inputs = {tokens};
  if (has_context) subject.inputs.push_back(context);
  if (has_mask) subject.inputs.push_back(mask);
  for (const char* name : {"probs", "weights", "attn", "attention_probs"}) subject.taps[name] = "**attention";
  subject.rename = [alpha, paper](const std::string& name) -> std::string {
    if (name == alpha) return paper ? "entmax_alpha.pre_alpha" : "entmax_alpha.alpha_chooser";
    return name.find("alpha") == std::string::npos ? name : "";  // the port stores the same values twice
  };
  return subject;
}

}  // namespace

void add_sparse(Adapters& all) {
  for (const auto& [module, kind] : Options{{"sparsemax", "sparsemax"},
                                            {"sparsemax_bisect", "sparsemax"},
                                            {"entmax15", "entmax15"},
                                            {"entmax_bisect", "entmax"},
                                            {"entmax", "entmax"}})
    all.add(module, "", [kind = kind](const Case& c, const Scope& s) { return distribution(kind, c, s); });
  all.add("attention_impl", "openai/sparse_attention", openai);
  all.add("SparseMultiheadAttention", "fairseq", fairseq);
  all.add("BertAttention*", "adaptive_transformer", adaptive);  // LXMERT's cross-modal one is the same with softmax
}

}  // namespace fovea::golden
