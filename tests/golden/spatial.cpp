#include <algorithm>

#include "modules/nn/registry.hpp"
#include "tests/golden/modules.hpp"

namespace fovea::golden {
namespace {

using Names = std::vector<std::pair<std::string, std::string>>;

// As make(), for options that may be a pair of numbers: [3, 5].
std::unique_ptr<Block> make_pairs(const std::string& block, const Case& c, const Scope& s, std::int64_t channels,
                                  const Names& names, std::map<std::string, std::string> values) {
  Args::Lists lists;
  for (const auto& [theirs, ours] : names) {
    if (!c.hyper.contains(theirs)) continue;
    const auto& value = c.hyper.at(theirs);
    if (!value.is_array()) values[ours] = text(value);
    else
      for (const auto& v : value) lists[ours].push_back(text(v));
  }
  return Registry::global().make(block, s, channels, Args(c.module, std::move(values), {}, std::move(lists)));
}

bool mentions(const std::string& text, const std::vector<std::string>& words) {
  return std::any_of(words.begin(), words.end(), [&](const std::string& w) { return text.find(w) != std::string::npos; });
}

const Names kDeform{{"out_channels", "out"},
                    {"kernel_size", "kernel"},
                    {"stride", "stride"},
                    {"padding", "pad"},
                    {"dilation", "dilation"},
                    {"groups", "groups"},
                    {"deform_groups", "deform_groups"},
                    {"deformable_groups", "deform_groups"}};

// The layer's own parameters may stand below a name ("conv.weight"), the offsets' beside it ("conv_offset.weight").
std::string rename_deform(const std::string& name) {
  const std::string leaf = name.substr(name.rfind('.') + 1);
  return mentions(name, {"offset"}) ? "conv_offset." + leaf : leaf;
}

Subject deform(const std::string& block, const Case& c, const Scope& s) {
  const bool bias = c.parameter("bias").rank() > 0 || c.parameter("conv.bias").rank() > 0;
  std::map<std::string, std::string> values{{"stride", "1"}, {"pad", "0"}, {"bias", bias ? "true" : "false"}};
  for (const char* key : {"border", "border_rule"})
    if (c.hyper.contains(key) && mentions(text(c.hyper.at(key)), {"clamp", "caffe", "Caffe", "mxnet", "MXNet"}))
      values["border"] = "clamp";
  Subject subject{make_pairs(block, c, s, c.hyper.at("in_channels"), kDeform, values)};
  subject.rename = rename_deform;
  if (c.inputs.size() > 1) {
    const std::string x = c.inputs.back();  // "x" or "input": the others are offset and mask
    subject.inputs = {x, "offset"};
    if (std::count(c.inputs.begin(), c.inputs.end(), "mask")) subject.inputs.push_back("mask");
  }
  return subject;
}

}  // namespace

void add_spatial(Adapters& all) {
  for (const char* name : {"DeformConv2dPack", "DeformConvPack"})
    all.add(name, "", [](const Case& c, const Scope& s) { return deform("deform_conv", c, s); });
  for (const char* name : {"ModulatedDeformConv2dPack", "ModulatedDeformConvPack"})
    all.add(name, "", [](const Case& c, const Scope& s) { return deform("deform_conv_v2", c, s); });
  for (const char* name : {"DeformConv2d", "ModulatedDeformConv2d"})
    all.add(name, "", [](const Case& c, const Scope& s) { return deform("deform_conv2d", c, s); });
  all.add("Dynamic_conv2d", "", [](const Case& c, const Scope& s) {
    return Subject{make("dynamic_conv", c, s, c.hyper.at("in_planes"),
                        {{"out_planes", "out"},
                         {"kernel_size", "kernel"},
                         {"ratio", "ratio"},
                         {"hidden", "hidden"},
                         {"stride", "stride"},
                         {"padding", "pad"},
                         {"dilation", "dilation"},
                         {"groups", "groups"},
                         {"bias", "bias"},
                         {"K", "kernels"},
                         {"temperature", "temperature"}},
                        {{"pad", "0"}})};
  });
  all.add("GeneralizedAttention", "", [](const Case& c, const Scope& s) {
    // mmcv's own reading of term 2 without term 4 is in files that say so.
    const bool verbatim = mentions(c.name + " " + c.note, {"verbatim"});
    return Subject{make("generalized_attention", c, s, c.hyper.at("in_channels"),
                        {{"num_heads", "heads"},
                         {"attention_type", "terms"},
                         {"spatial_range", "spatial_range"},
                         {"position_embedding_dim", "position_embedding_dim"},
                         {"position_magnitude", "magnitude"},
                         {"kv_stride", "kv_stride"},
                         {"q_stride", "q_stride"}},
                        {{"reading", verbatim ? "mmcv" : "fixed"}})};
  });
}

}  // namespace fovea::golden
