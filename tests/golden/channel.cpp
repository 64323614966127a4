#include "modules/nn/registry.hpp"
#include "tests/golden/rename.hpp"

namespace fovea::golden {
namespace {

using Fixed = std::map<std::string, std::string>;

std::string gate_of(const Case& c, const std::string& fallback) {
  return activation_name(hyper(c, {"gate", "gate_layer", "gate_fn", "scale_activation", "gate_activation"}, fallback));
}

std::string activation_of(const Case& c, const std::string& fallback) {
  return activation_name(hyper(c, {"act", "act_layer", "activation", "act_fn"}, fallback));
}

std::string squeeze_of(const Case& c) { return flag(c, {"add_maxpool"}, false) ? "avg_max" : "avg"; }

// SE of any source: `first` and `second` are its layers; widths and biases are those of the file.
Make se(const std::string& first, const std::string& second) {
  return [=](const Case& c, const Scope& s) {
    const Fixed options{{"hidden", axis(c, first + ".weight", 0)}, {"bias", yes_no(has(c, first + ".bias"))},
                        {"bn", yes_no(has(c, "bn.weight"))},       {"activation", activation_of(c, "relu")},
                        {"gate", gate_of(c, "sigmoid")},           {"squeeze", squeeze_of(c)}};
    Subject subject{make("se", c, s, channels_of(c, first + ".weight", 1), {}, options)};
    const auto escaped = [](const std::string& name) { return std::regex_replace(name, std::regex("\\."), "\\."); };
    subject.rename = rename_by({{escaped(first) + "\\.(.*)", "fc1.$1"}, {escaped(second) + "\\.(.*)", "fc2.$1"}});
    return subject;
  };
}

Subject effective(const Case& c, const Scope& s) {
  return {make("effective_se", c, s, channels_of(c, "fc.weight", 0), {},
               {{"gate", gate_of(c, "hard_sigmoid")}, {"squeeze", squeeze_of(c)}})};
}

// The number of channels plays no part where the kernel is known.
Make eca(const std::string& padding) {
  return [=](const Case& c, const Scope& s) {
    const bool mlp = has(c, "conv2.weight");
    Fixed options{{"kernel", axis(c, mlp ? "conv2.weight" : "conv.weight", 2)},
                  {"gate", gate_of(c, "sigmoid")},
                  {"padding", hyper(c, {"padding"}, padding) == "circular" ? "circular" : "zeros"}};
    if (mlp) options["hidden"] = axis(c, "conv.weight", 0), options["activation"] = activation_of(c, "relu");
    return Subject{make("eca", c, s, std::atoi(hyper(c, {"channels", "channel"}, "64").c_str()), {}, options)};
  };
}

Subject srm(const Case& c, const Scope& s) {
  const Fixed options{{"unbiased", yes_no(hyper(c, {"var"}, "unbiased") != "biased")}};
  return {make("srm", c, s, channels_of(c, "cfc", 0), {{"eps", "eps"}}, options)};
}

Subject gct(const Case& c, const Scope& s) {
  return {make("gct", c, s, channels_of(c, "alpha", 1),
               {{"mode", "mode"}, {"epsilon", "eps"}, {"eps", "eps"}, {"after_relu", "after_relu"}})};
}

// timm: a kernel given as one number stands for that many paths of the same kernel only if a list says so.
Subject selective_kernel(const Case& c, const Scope& s) {
  std::int64_t paths = 0;
  while (has(c, "paths." + std::to_string(paths) + ".conv.weight")) ++paths;
  std::vector<std::string> kernels;
  const auto given = c.hyper.find("kernel_size");
  for (std::int64_t m = 0; m < paths; ++m)
    kernels.push_back(given == c.hyper.end() ? std::to_string(3 + 2 * m)
                      : given->is_array()    ? text(given->at(static_cast<std::size_t>(m)))
                                             : text(*given));
  const std::int64_t in = std::atoi(hyper(c, {"in_channels", "in_chs", "channels"}, "0").c_str());
  check(in > 0, "SelectiveKernel: expected in_channels in the file's hyper-parameters");
  Fixed options{{"out", axis(c, "paths.0.conv.weight", 0)},
                {"keep_3x3", yes_no(flag(c, {"keep_3x3"}, true))},
                {"split_input", yes_no(flag(c, {"split_input"}, true))},
                {"stride", hyper(c, {"stride"}, "1")},
                {"dilation", hyper(c, {"dilation"}, "1")},
                {"groups", hyper(c, {"groups"}, "1")},
                {"hidden", axis(c, "attn.fc_reduce.weight", 0)},
                {"activation", activation_of(c, "relu")}};
  return {Registry::global().make("sk", s, in, Args(c.module, options, {}, {{"kernels", kernels}}))};
}

Subject sk_conv(const Case& c, const Scope& s) {
  std::int64_t paths = 0;
  while (has(c, "fcs." + std::to_string(paths) + ".weight")) ++paths;
  const std::int64_t features = channels_of(c, "convs.0.0.weight", 0);
  const std::int64_t groups = features / channels_of(c, "convs.0.0.weight", 1);
  return {make("sk_conv", c, s, features, {{"stride", "stride"}},
               {{"paths", std::to_string(paths)},
                {"kernel", axis(c, "convs.0.0.weight", 2)},
                {"groups", std::to_string(groups)},
                {"reduction", std::to_string(features)},
                {"min_hidden", axis(c, "fc.weight", 0)}})};
}

// CBAM's gate over positions; theirs is the prefix of the convolution and its norm.
Subject cbam_spatial(const Case& c, const Scope& s, const std::string& prefix, const std::string& order) {
  const Shape weight = c.parameter(prefix + "conv.weight");
  const std::string given = hyper(c, {"pool_order", "order"}, order == "max_mean" ? "max,mean" : "mean,max");
  Subject subject{make("cbam_spatial", c, s, std::atoi(hyper(c, {"channels", "gate_channels"}, "16").c_str()),
                       {{"bn_momentum", "momentum"}},
                       {{"kernel", std::to_string(weight[2])},
                        {"light", yes_no(weight[1] == 1)},
                        {"bn", yes_no(has(c, prefix + "bn.weight"))},
                        {"bias", yes_no(has(c, prefix + "conv.bias"))},
                        {"gate", gate_of(c, "sigmoid")},
                        {"residual", yes_no(flag(c, {"residual"}, false))},
                        {"order", given.rfind("max", 0) == 0 ? "max_mean" : "mean_max"}})};
  subject.rename = rename_by({{std::regex_replace(prefix, std::regex("\\."), "\\.") + "(.*)", "$1"}});
  return subject;
}

Subject bam_spatial(const Case& c, const Scope& s) {
  std::int64_t convolutions = 0;
  while (has(c, "gate_s.gate_s_conv_di_" + std::to_string(convolutions) + ".weight")) ++convolutions;
  Subject subject{make("bam_spatial", c, s, channels_of(c, "gate_s.gate_s_conv_reduce0.weight", 1),
                       {{"dilation_val", "dilation"}, {"dilation", "dilation"}},
                       {{"hidden", axis(c, "gate_s.gate_s_conv_reduce0.weight", 0)},
                        {"convolutions", std::to_string(convolutions)},
                        {"output", "logits"}})};
  subject.rename = rename_by({{"gate_s\\.gate_s_conv_reduce0\\.(.*)", "reduce.$1"},
                              {"gate_s\\.gate_s_bn_reduce0\\.(.*)", "reduce_bn.$1"},
                              {"gate_s\\.gate_s_conv_di_(\\d+)\\.(.*)", "dilated.$1.$2"},
                              {"gate_s\\.gate_s_bn_di_(\\d+)\\.(.*)", "dilated_bn.$1.$2"},
                              {"gate_s\\.gate_s_conv_final\\.(.*)", "final.$1"}});
  return subject;
}

}  // namespace

void add_channel(Adapters& all) {
  all.add("SEModule", "", se("fc1", "fc2"));
  all.add("SqueezeExcite", "", se("fc1", "fc2"));
  all.add("SqueezeExcitation", "", se("fc1", "fc2"));
  all.add("SELayer", "", se("fc.0", "fc.2"));
  all.add("ChannelSELayer", "ai-med", se("fc1", "fc2"));
  all.add("EffectiveSEModule", "", effective);
  all.add("EffectiveSqueezeExcite", "", effective);
  all.add("EcaModule", "", eca("zeros"));
  all.add("eca_layer", "", eca("zeros"));
  all.add("CecaModule", "", eca("circular"));
  all.add("SRMLayer", "", srm);
  all.add("GCT", "z-x-yang", gct);
  all.add("SelectiveKernel", "", selective_kernel);
  all.add("SKConv", "", sk_conv);
  all.add("SpatialGate", "Jongchan/attention-module", [](const Case& c, const Scope& s) {
    return has(c, "gate_s.gate_s_conv_reduce0.weight") ? bam_spatial(c, s) : cbam_spatial(c, s, "spatial.", "max_mean");
  });
  all.add("SpatialAttn", "", [](const Case& c, const Scope& s) { return cbam_spatial(c, s, "conv.", "mean_max"); });
  all.add("LightSpatialAttn", "", [](const Case& c, const Scope& s) { return cbam_spatial(c, s, "conv.", "mean_max"); });
  all.add("SpatialAttention", "", [](const Case& c, const Scope& s) { return cbam_spatial(c, s, "", "max_mean"); });
}

}  // namespace fovea::golden
