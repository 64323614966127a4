#include "modules/nn/registry.hpp"
#include "tests/golden/modules.hpp"

namespace fovea::golden {
namespace {

bool has(const Case& c, const std::string& parameter) { return c.parameter(parameter).rank() > 0; }

// The first of these parameters that the file has.
Shape first_of(const Case& c, const std::vector<std::string>& names) {
  for (const std::string& name : names)
    if (has(c, name)) return c.parameter(name);
  fail(c.module, ": none of ", names.front(), ", ... is in the file");
}

// What the three implementations call our theta, phi, g, conv_out and concat_project.
std::string non_local_name(const std::string& theirs) {
  static const std::vector<std::pair<std::string, std::string>> positions{
      {"g.0.conv.", "g.conv."},   {"phi.0.conv.", "phi.conv."},   {"g.conv.", "g.conv."},
      {"phi.conv.", "phi.conv."}, {"theta.conv.", "theta.conv."}, {"conv_out.", "conv_out."},
      {"g.0.", "g.conv."},        {"phi.0.", "phi.conv."},        {"concat_project.conv.", "concat_project.conv."},
      {"g.", "g.conv."},          {"phi.", "phi.conv."},          {"concat_project.0.", "concat_project.conv."},
      {"theta.", "theta.conv."},  {"W.0.", "conv_out.conv."},     {"W.1.", "conv_out.bn."},
      {"W.", "conv_out.conv."},   {"t.", "theta.conv."},          {"p.", "phi.conv."},
      {"z.", "conv_out.conv."},   {"norm.", "conv_out.bn."}};
  for (const auto& [from, to] : positions)
    if (theirs.rfind(from, 0) == 0) return to + theirs.substr(from.size());
  return theirs;
}

std::string mode_of(const Case& c) {
  if (c.hyper.contains("mode")) return text(c.hyper.at("mode"));
  for (const std::string& where : {c.path, c.name})
    for (const char* mode : {"embedded_gaussian", "dot_product", "concatenation", "gaussian"})
      if (where.find(mode) != std::string::npos) return mode;
  return has(c, "concat_project.0.weight") ? "concatenation" : "embedded_gaussian";
}

Subject non_local(const Case& c, const Scope& s, const std::string& scale) {
  const Shape g = first_of(c, {"g.weight", "g.0.weight", "g.conv.weight", "g.0.conv.weight"});
  const bool norm = has(c, "W.1.weight") || has(c, "conv_out.bn.weight") || has(c, "norm.weight");
  const bool bias = has(c, "W.0.bias") || has(c, "W.bias") || has(c, "conv_out.conv.bias") || has(c, "z.bias");
  const bool pooled = has(c, "g.0.weight") || has(c, "g.0.conv.weight") || c.hyper.value("sub_sample", false);
  const auto yes = [](bool b) { return b ? "true" : "false"; };
  return {.block = make("non_local", c, s, g[1], {},
                        {{"mode", mode_of(c)},
                         {"inter_channels", std::to_string(g[0])},
                         {"scale", mode_of(c) == "embedded_gaussian" ? scale : "none"},
                         {"sub_sample", yes(pooled)},
                         {"bn_layer", yes(norm)},
                         {"out_bias", yes(bias)}}),
          .taps = {{"map", "attention"}},
          .rename = non_local_name};
}

}  // namespace

void add_global(Adapters& all) {
  all.add("NonLocal2d", "mmcv",
          [](const Case& c, const Scope& s) { return non_local(c, s, c.hyper.value("use_scale", true) ? "inter" : "none"); });
  all.add("NONLocalBlock2D", "", [](const Case& c, const Scope& s) { return non_local(c, s, "none"); });
  all.add("NonLocalAttn", "",
          [](const Case& c, const Scope& s) { return non_local(c, s, c.hyper.value("use_scale", true) ? "channels" : "none"); });
  all.add("ContextBlock", "", [](const Case& c, const Scope& s) {
    std::vector<std::string> fusion;
    for (const char* f : {"channel_add", "channel_mul"})
      if (has(c, std::string(f) + "_conv.0.weight")) fusion.emplace_back(f);
    const Shape first = first_of(c, {"channel_add_conv.0.weight", "channel_mul_conv.0.weight"});
    std::map<std::string, std::string> options{{"pooling", has(c, "conv_mask.weight") ? "att" : "avg"}};
    // The middle of the ratios that give this width, safe from rounding.
    options["ratio"] = std::to_string((static_cast<double>(first[0]) + 0.5) / static_cast<double>(first[1]));
    return Subject{.block = Registry::global().make("gc_context", s, first[1], Args(c.module, options, {}, {{"fusion", fusion}})),
                   .taps = {{"mask", "spatial"}, {"context_mask", "spatial"}}};
  });
  all.add("GlobalContext", "", [](const Case& c, const Scope& s) {
    const Shape first = first_of(c, {"mlp_scale.fc1.weight", "mlp_add.fc1.weight"});
    const auto yes = [&](const char* parameter) { return has(c, parameter) ? "true" : "false"; };
    return Subject{.block = make("global_context", c, s, first[1], {{"gate_layer", "gate"}},
                                 {{"rd_channels", std::to_string(first[0])},
                                  {"use_attn", yes("conv_attn.weight")},
                                  {"fuse_scale", yes("mlp_scale.fc1.weight")},
                                  {"fuse_add", yes("mlp_add.fc1.weight")}}),
                   .taps = {{"map", "spatial"}, {"attn", "spatial"}}};
  });
}

}  // namespace fovea::golden
