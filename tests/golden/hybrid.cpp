#include "modules/nn/registry.hpp"
#include "tests/golden/rename.hpp"

namespace fovea::golden {
namespace {

using Fixed = std::map<std::string, std::string>;

std::string gate_of(const Case& c) { return activation_name(hyper(c, {"gate", "gate_layer", "gate_fn"}, "sigmoid")); }

// What a source calls the parts of CBAM, dots escaped; empty where it has none.
struct CbamNames {
  std::string fc1, fc2, conv, bn, order;
};

std::string escaped(const std::string& name) { return std::regex_replace(name, std::regex("\\."), "\\."); }

Make cbam(const CbamNames& names, bool residual = false) {
  return [=](const Case& c, const Scope& s) {
    const bool spatial = has(c, names.conv + ".weight");
    const Shape conv = c.parameter(names.conv + ".weight");
    const std::string order = hyper(c, {"pool_order", "order"}, names.order);
    Fixed options{{"hidden", axis(c, names.fc1 + ".weight", 0)},
                  {"mlp_bias", yes_no(has(c, names.fc1 + ".bias"))},
                  {"activation", activation_name(hyper(c, {"act", "act_layer", "activation"}, "relu"))},
                  {"gate", gate_of(c)},
                  {"no_spatial", yes_no(!spatial)},
                  {"bn", yes_no(has(c, names.bn + ".weight"))},
                  {"bias", yes_no(has(c, names.conv + ".bias"))},
                  {"residual", yes_no(flag(c, {"residual"}, residual))},
                  {"momentum", hyper(c, {"bn_momentum", "momentum"}, "0.01")},
                  {"order", order.rfind("max", 0) == 0 ? "max_mean" : "mean_max"}};
    if (spatial) options["kernel"] = std::to_string(conv[2]);
    if (c.module.rfind("Light", 0) == 0 || flag(c, {"light"}, false)) options["light"] = "true";
    Args::Lists lists;
    if (c.hyper.contains("pool_types"))
      for (const auto& pool : c.hyper.at("pool_types")) lists["pools"].push_back(text(pool));
    Subject subject{
        Registry::global().make("cbam", s, channels_of(c, names.fc1 + ".weight", 1), Args(c.module, options, {}, lists))};
    subject.rename = rename_by({{escaped(names.fc1) + "\\.(.*)", "channel.fc1.$1"},
                                {escaped(names.fc2) + "\\.(.*)", "channel.fc2.$1"},
                                {escaped(names.conv) + "\\.(weight|bias)", "spatial.conv.$1"},
                                {escaped(names.bn) + "\\.(.*)", "spatial.bn.$1"}});
    return subject;
  };
}

Subject bam(const Case& c, const Scope& s) {
  const std::string at = "spatial_att.gate_s.gate_s_";
  std::int64_t convolutions = 0;
  while (has(c, at + "conv_di_" + std::to_string(convolutions) + ".weight")) ++convolutions;
  const bool sum = hyper(c, {"combine"}, "product").find("product") == std::string::npos;
  Subject subject{make("bam", c, s, channels_of(c, at + "conv_reduce0.weight", 1),
                       {{"dilation_val", "dilation"}, {"dilation", "dilation"}},
                       {{"hidden", axis(c, at + "conv_reduce0.weight", 0)},
                        {"convolutions", std::to_string(convolutions)},
                        {"combine", sum ? "sum" : "product"}})};
  const std::string spatial = escaped(at), channel = "channel_att\\.gate_c\\.gate_c_";
  subject.rename = rename_by({{channel + "fc_0\\.(.*)", "channel.fc1.$1"},
                              {channel + "bn_1\\.(.*)", "channel.bn.$1"},
                              {channel + "fc_final\\.(.*)", "channel.fc2.$1"},
                              {spatial + "conv_reduce0\\.(.*)", "spatial.reduce.$1"},
                              {spatial + "bn_reduce0\\.(.*)", "spatial.reduce_bn.$1"},
                              {spatial + "conv_di_(\\d+)\\.(.*)", "spatial.dilated.$1.$2"},
                              {spatial + "bn_di_(\\d+)\\.(.*)", "spatial.dilated_bn.$1.$2"},
                              {spatial + "conv_final\\.(.*)", "spatial.final.$1"}});
  return subject;
}

Make scse(const std::string& fc1, const std::string& fc2, const std::string& conv, const std::string& combine) {
  return [=](const Case& c, const Scope& s) {
    const bool maximum = hyper(c, {"combine", "aggregation"}, combine).rfind("max", 0) == 0;
    Subject subject{make("scse", c, s, channels_of(c, fc1 + ".weight", 1), {},
                         {{"hidden", axis(c, fc1 + ".weight", 0)},
                          {"bias", yes_no(has(c, fc1 + ".bias"))},
                          {"combine", maximum ? "max" : "add"}})};
    subject.rename = rename_by({{escaped(fc1) + "\\.(.*)", "channel.fc1.$1"},
                                {escaped(fc2) + "\\.(.*)", "channel.fc2.$1"},
                                {escaped(conv) + "\\.(.*)", "spatial.conv.$1"}});
    return subject;
  };
}

// The authors' files call the last layers conv_h and conv_w or, for MobileNetV2, conv2 and conv3.
Subject coordinate(const Case& c, const Scope& s) {
  const std::string activation = c.module == "CoordAttn" ? "hardswish" : "h_swish";
  Subject subject{make("coordinate", c, s, channels_of(c, "conv1.weight", 1), {},
                       {{"hidden", axis(c, "conv1.weight", 0)},
                        {"bias", yes_no(has(c, "conv1.bias"))},
                        {"bn", yes_no(has(c, "bn1.weight"))},
                        {"residual", yes_no(flag(c, {"has_skip", "residual"}, false))},
                        {"activation", activation_name(hyper(c, {"act", "act_layer", "activation"}, activation))},
                        {"gate", gate_of(c)}})};
  subject.rename = rename_by({{"conv2\\.(.*)", "conv_h.$1"}, {"conv3\\.(.*)", "conv_w.$1"}});
  return subject;
}

// timm's simple variant is the same without a norm.
Subject simple_coordinate(const Case& c, const Scope& s) {
  Subject subject{make("coordinate", c, s, channels_of(c, "fc1.weight", 1), {},
                       {{"hidden", axis(c, "fc1.weight", 0)},
                        {"bias", yes_no(has(c, "fc1.bias"))},
                        {"bn", "false"},
                        {"residual", yes_no(flag(c, {"has_skip"}, false))},
                        {"activation", activation_name(hyper(c, {"act", "act_layer"}, "silu"))},
                        {"gate", gate_of(c)}})};
  subject.rename = rename_by({{"fc1\\.(.*)", "conv1.$1"}, {"fc_h\\.(.*)", "conv_h.$1"}, {"fc_w\\.(.*)", "conv_w.$1"}});
  return subject;
}

Subject triplet(const Case& c, const Scope& s) {
  Subject subject{make("triplet", c, s, 16, {{"bn_momentum", "momentum"}},
                       {{"kernel", axis(c, "ChannelGateH.spatial.conv.weight", 2)},
                        {"no_spatial", yes_no(!has(c, "SpatialGate.spatial.conv.weight"))}})};
  subject.rename = rename_by({{"ChannelGateH\\.spatial\\.(.*)", "height.$1"},
                              {"ChannelGateW\\.spatial\\.(.*)", "width.$1"},
                              {"SpatialGate\\.spatial\\.(.*)", "spatial.$1"}});
  return subject;
}

}  // namespace

void add_hybrid(Adapters& all) {
  const CbamNames authors{"ChannelGate.mlp.1", "ChannelGate.mlp.3", "SpatialGate.spatial.conv", "SpatialGate.spatial.bn",
                          "max_mean"};
  const CbamNames timm{"channel.fc1", "channel.fc2", "spatial.conv.conv", "spatial.conv.bn", "mean_max"};
  all.add("CBAM", "", cbam(authors));
  all.add("ChannelGate", "Jongchan/attention-module", cbam({"mlp.1", "mlp.3", "-", "-", "max_mean"}));
  all.add("CbamModule", "", cbam(timm));
  all.add("LightCbamModule", "", cbam(timm));
  all.add("CBAMBlock", "", cbam({"ca.se.0", "ca.se.2", "sa.conv", "-", "max_mean"}, true));
  all.add("BAM", "", bam);
  all.add("SCSEModule", "", scse("cSE.1", "cSE.3", "sSE.0", "add"));
  all.add("ChannelSpatialSELayer", "", scse("cSE.fc1", "cSE.fc2", "sSE.conv", "max"));
  all.add("SpatialSELayer", "", [](const Case& c, const Scope& s) {
    return Subject{make("sse", c, s, channels_of(c, "conv.weight", 1), {}, {{"bias", yes_no(has(c, "conv.bias"))}})};
  });
  all.add("CoordAtt", "", coordinate);
  all.add("CoordAttn", "", coordinate);
  all.add("SimpleCoordAttn", "", simple_coordinate);
  all.add("TripletAttention", "", triplet);
  all.add("AAB", "haoyuc/A2N", [](const Case& c, const Scope& s) {
    check(c.hyper.value("K", 2) == 2, "AAB: expected K = 2, got ", c.hyper.at("K").dump());
    return Subject{make("a2n_aab", c, s, c.hyper.at("nf"),
                        {{"reduction", "reduction"}, {"t", "temperature"}, {"non_attention_kernel", "plain_kernel"}})};
  });
  all.add("AttentionBranch", "haoyuc/A2N", [](const Case& c, const Scope& s) {
    return Subject{make("attention_branch", c, s, c.hyper.at("nf"), {{"k_size", "kernel"}})};
  });
  all.add("PA", "haoyuc/A2N",
          [](const Case& c, const Scope& s) { return Subject{make("pixel_attention", c, s, c.hyper.at("nf"))}; });
}

}  // namespace fovea::golden
