// Swin's windows and blocks, v1 and v2, of the authors, timm and torchvision; allennlp's cosine attention.
#include <algorithm>

#include "modules/attention/self/tokens.hpp"
#include "modules/nn/registry.hpp"
#include "tests/golden/modules.hpp"

namespace fovea::golden {
namespace {

std::vector<std::string> words(const nlohmann::json& value) {
  std::vector<std::string> out;
  if (value.is_array())
    for (const auto& v : value) out.push_back(text(v));
  else out.push_back(text(value));
  return out;
}

bool ends_with(const std::string& name, const std::string& end) {
  return name.size() >= end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0;
}

// What is computed here; torchvision's numbers for the MLP's layers.
std::string rename(const std::string& name) {
  for (const char* buffer : {"relative_position_index", "attn_mask", "relative_coords_table", "k_bias"})
    if (ends_with(name, buffer)) return "";
  for (const auto& [theirs, ours] : std::map<std::string, std::string>{{"mlp.0.", "mlp.fc1."}, {"mlp.3.", "mlp.fc2."}})
    if (name.rfind(theirs, 0) == 0) return ours + name.substr(theirs.size());
  return name;
}

struct Given {
  std::map<std::string, std::string> values;
  Args::Lists lists;
};

// Options of the windows; `prefix` stands before the attention's parameters.
Given window_options(const Case& c, int version, const std::string& prefix) {
  Given g;
  g.values["heads"] = text(c.hyper.at("num_heads"));
  const char* bias = version == 2 ? "q_bias" : "qkv.bias";
  g.values["qkv_bias"] = c.parameter(prefix + bias).rank() > 0 ? "true" : "false";
  const std::map<std::string, std::string> lists{{"window_size", "window"},
                                                 {"pretrained_window_size", "pretrained_window"},
                                                 {"shift_size", "shift"},
                                                 {"input_resolution", "resolution"}};
  for (const auto& [theirs, ours] : lists)
    if (c.hyper.contains(theirs) && !c.hyper.at(theirs).is_null() && (version == 2 || ours != "pretrained_window"))
      g.lists[ours] = words(c.hyper.at(theirs));
  if (version == 1 && c.hyper.contains("qk_scale") && c.hyper.at("qk_scale").is_number())
    g.values["scale"] = text(c.hyper.at("qk_scale"));
  return g;
}

std::unique_ptr<Block> made(const std::string& block, const Case& c, const Scope& s, Given g) {
  return Registry::global().make(block, s, c.hyper.at("dim"), Args(c.module, std::move(g.values), {}, std::move(g.lists)));
}

int version_of(const Case& c, const std::string& prefix) { return c.parameter(prefix + "logit_scale").rank() > 0 ? 2 : 1; }

Subject window(const Case& c, const Scope& s) {
  const int version = version_of(c, "");
  Given g = window_options(c, version, "");
  g.lists.erase("shift"), g.lists.erase("resolution");
  std::vector<std::string> inputs;
  if (c.inputs.size() == 2) inputs = {c.inputs[0] == "mask" || c.inputs[0] == "attn_mask" ? c.inputs[1] : c.inputs[0]};
  if (c.inputs.size() == 2) inputs.push_back(inputs[0] == c.inputs[0] ? c.inputs[1] : c.inputs[0]);
  return {.block = made(version == 2 ? "swin_window_v2" : "swin_window", c, s, g),
          .inputs = inputs,
          .taps = {{"weights", "**attention"}, {"attn", "**attention"}},
          .rename = rename};
}

// Maps come as tokens N x HW x C or as N x H x W x C.
Subject block(const Case& c, const Scope& s) {
  const int version = version_of(c, "attn.");
  Given g = window_options(c, version, "attn.");
  g.values["mlp_ratio"] = c.hyper.contains("mlp_ratio") ? text(c.hyper.at("mlp_ratio")) : "4.0";
  const bool timm = c.repo.find("pytorch-image-models") != std::string::npos;
  if (timm) g.values["padding"] = "after_shift", g.values["clip"] = "axis";
  std::vector<std::int64_t> map;
  if (g.lists.count("resolution"))
    for (const std::string& side : g.lists.at("resolution")) map.push_back(std::stoll(side));
  const std::shared_ptr<Block> inner = made(version == 2 ? "swin_block_v2" : "swin_block", c, s, g);
  return {.block = function(s,
                            [=](const Vars& in) {
                              const Var& x = in[0];
                              if (x.shape().rank() == 4) return Vars{permute((*inner)(permute(x, {0, 3, 1, 2})), {0, 2, 3, 1})};
                              check(map.size() == 2, "expected input_resolution for tokens");
                              return Vars{to_tokens((*inner)(to_map(x, map[0], map[1])))};
                            }),
          .taps = {{"weights", "**attention"}, {"attn", "**attention"}},
          .rename = rename};
}

}  // namespace

void add_windows(Adapters& all) {
  for (const char* name :
       {"WindowAttention (v1)", "WindowAttention (v2 cosine)", "WindowAttention (v2)", "WindowAttention", "WindowAttention v2"})
    all.add(name, "", window);
  for (const char* name : {"SwinTransformerBlock", "SwinTransformerBlock v2", "SwinTransformerBlock (v1)",
                           "SwinTransformerBlock (v2)", "SwinTransformerBlockV2", "SwinTransformerV2Block"})
    all.add(name, "", block);
}

}  // namespace fovea::golden
