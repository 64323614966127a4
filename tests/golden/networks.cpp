// Whole networks: a recipe's `model:` made from a file's hyper-parameters; parameters found by the same name maps that `fovea import` uses.
#include <algorithm>

#include "modules/io/name_map.hpp"
#include "modules/io/yaml.hpp"
#include "modules/network.hpp"
#include "tests/golden/modules.hpp"

namespace fovea::golden {
namespace {

using Json = nlohmann::json;

class Whole final : public Block {
 public:
  Whole(const std::string& recipe, const Scope& s) : Block(s), network_(Yaml::parse(recipe, "golden").at("model"), s.store()) {}

 protected:
  Vars forward(const Vars& in) const override { return {network_(in.at(0))}; }

 private:
  Network network_;
};

// How many of the case's parameters a table places.
struct Choice {
  NameMap map;
  std::shared_ptr<ParamStore> store;
  std::string rename(const std::string& name) const {
    const auto to = renamed(map.rules, name);
    return to ? resolve(*to, *store) : name;
  }
};

// `source` names the table; backbone, attention and head are JSON, which is YAML.
Subject network(const Scope& s, const Json& backbone, const Json& attention, const Json& head, const std::string& source) {
  Json model{{"backbone", backbone}, {"head", head}};
  if (!attention.is_null()) model["attention"] = attention;
  Subject subject{std::make_unique<Whole>(Json{{"model", model}}.dump(), s)};
  for (const NameMap& map : name_maps_for(backbone.at("type").get<std::string>()))
    if (map.source == source) {
      subject.rename = [choice = Choice{map, s.store()}](const std::string& name) { return choice.rename(name); };
      return subject;
    }
  fail("no name map is called ", source);
}

// The first of several spellings that a file has, or the fallback.
Json option(const Case& c, const std::vector<std::string>& names, Json fallback) {
  for (const std::string& name : names)
    if (c.hyper.contains(name) && !c.hyper.at(name).is_null()) return c.hyper.at(name);
  return fallback;
}

Json classifier(const Case& c, int fallback = 10) {
  return {{"type", "classify"}, {"classes", option(c, {"num_classes", "classes"}, fallback)}};
}

std::int64_t rows(const Case& c, const std::string& parameter, std::int64_t fallback) {
  const Shape shape = c.parameter(parameter);
  return shape.rank() > 0 ? shape[0] : fallback;
}

const Json kNothing;

// Blocks in every residual block, where timm and the authors' repositories put them.
Json in_every_block(Json block) {
  block["at"] = "backbone.layer*.*.pre_add";
  return Json::array({block});
}

struct Depth {
  bool bottleneck;
  std::vector<int> layers;
};
const std::map<int, Depth> kDepths{{10, {false, {1, 1, 1, 1}}}, {18, {false, {2, 2, 2, 2}}},  {34, {false, {3, 4, 6, 3}}},
                                   {50, {true, {3, 4, 6, 3}}},  {101, {true, {3, 4, 23, 3}}}, {152, {true, {3, 8, 36, 3}}}};

Json resnet_of(const Case& c, bool bottleneck, const Json& layers) {
  Json b{{"type", "resnet"}, {"block", bottleneck ? "bottleneck" : "basic"}};
  b["layers"] = option(c, {"layers", "depths"}, layers);
  b["widths"] = option(c, {"widths", "channels", "planes"}, {64, 128, 256, 512});
  if (c.hyper.contains("layers") || c.hyper.contains("depths")) b["layers"] = option(c, {"layers", "depths"}, layers);
  b["groups"] = option(c, {"groups", "cardinality"}, 1);
  const double base = option(c, {"width_per_group", "base_width"}, 64).get<double>();
  b["width_factor"] = base / 64;
  const bool deep = c.parameter("conv1.0.weight").rank() > 0;
  if (deep) b["stem"] = "deep";
  b["stem_width"] = rows(c, "bn1.weight", 64);
  b["pooled_shortcut"] = c.parameter("layer2.0.downsample.1.weight").rank() == 4;
  if (!deep && c.parameter("conv1.weight").rank() == 4 && c.parameter("conv1.weight")[2] == 3) b["stem"] = "cifar";
  return b;
}

void add_torchvision_resnets(Adapters& all) {
  for (const auto& [depth, d] : kDepths)
    for (const std::string& name : {"resnet" + std::to_string(depth), "ResNet" + std::to_string(depth)})
      all.add(name, "", [bottleneck = d.bottleneck, layers = d.layers](const Case& c, const Scope& s) {
        return network(s, resnet_of(c, bottleneck, layers), kNothing, classifier(c), "torchvision and timm");
      });
  for (const auto& [name, groups, width, depth] :
       {std::tuple{"resnext50_32x4d", 32, 4, 50}, {"resnext101_32x8d", 32, 8, 101}, {"wide_resnet50_2", 1, 128, 50}})
    all.add(name, "pytorch/vision", [groups = groups, width = width, depth = depth](const Case& c, const Scope& s) {
      Json b = resnet_of(c, true, kDepths.at(depth).layers);
      if (!c.hyper.contains("groups")) b["groups"] = groups;
      if (!c.hyper.contains("width_per_group")) b["width_factor"] = width / 64.0;
      return network(s, b, kNothing, classifier(c), "torchvision and timm");
    });
}

// timm's attention layers by their short names, with its defaults.
const std::map<std::string, Json> kTimmAttention{
    {"se", {{"type", "se"}}},
    {"ese", {{"type", "effective_se"}}},
    {"eca", {{"type", "eca"}}},
    {"ecam", {{"type", "eca"}}},
    {"ceca", {{"type", "eca"}, {"padding", "circular"}}},
    {"cbam", {{"type", "cbam"}, {"mlp_bias", false}}},
    {"lcbam", {{"type", "cbam"}, {"mlp_bias", false}, {"light", true}}},
    {"gc", {{"type", "global_context"}}},
    {"gca", {{"type", "global_context"}, {"fuse_add", true}, {"fuse_scale", false}}},
    {"nl", {{"type", "non_local"}, {"style", "timm"}}},
    {"coord", {{"type", "coordinate"}, {"bias", false}, {"reduction", 24}, {"divisor", 8}, {"min_hidden", 1}}},
    {"srm", {{"type", "srm"}}},
    {"gct", {{"type", "gct"}}},
    {"triplet", {{"type", "triplet"}}},
    {"bam", {{"type", "bam"}}}};

void add_timm_resnets(Adapters& all) {
  for (const std::string block : {"BasicBlock", "Bottleneck"}) {
    const bool bottleneck = block == "Bottleneck";
    const std::vector<int> layers = bottleneck ? std::vector<int>{3, 4, 6, 3} : std::vector<int>{2, 2, 2, 2};
    for (const std::string& name : {"ResNet(" + block + ")", "ResNet(" + block + ", avg_down)"})
      all.add(name, "", [bottleneck, layers](const Case& c, const Scope& s) {
        return network(s, resnet_of(c, bottleneck, layers), kNothing, classifier(c), "torchvision and timm");
      });
    for (const auto& [short_name, made] : kTimmAttention)
      all.add("ResNet(" + block + ", attn_layer=" + short_name + ")", "",
              [bottleneck, layers, made = made](const Case& c, const Scope& s) {
                return network(s, resnet_of(c, bottleneck, layers), in_every_block(made), classifier(c), "torchvision and timm");
              });
  }
}

// CBAM's and BAM's own ResNet: attention in every block, or behind the first three stages.
Subject cbam_resnet(const Case& c, const Scope& s, const std::string& data, int depth) {
  const int given = option(c, {"depth"}, depth).get<int>();
  check(kDepths.count(given), "depth ", given, " is not known");
  Json b = resnet_of(c, kDepths.at(given).bottleneck, kDepths.at(given).layers);
  if (data != "ImageNet") b["stem"] = "cifar";
  const std::string attention = option(c, {"att_type"}, "none").get<std::string>();
  const Json reduction = option(c, {"reduction", "reduction_ratio"}, 16);
  Json rules;
  if (attention == "CBAM") rules = in_every_block({{"type", "cbam"}, {"reduction", reduction}});
  if (attention == "BAM")
    rules = Json::array({{{"at", "backbone.layer[1-3].after_stage"}, {"type", "bam"}, {"reduction", reduction}}});
  return network(s, b, rules, classifier(c, data == "CIFAR100" ? 100 : 10), "torchvision and timm");
}

void add_cbam_resnets(Adapters& all) {
  for (const std::string data : {"CIFAR10", "CIFAR100", "ImageNet"})
    for (const int depth : {18, 34, 50, 101})
      for (const char* attention : {"CBAM", "BAM", "None"})
        all.add("ResidualNet(" + data + "," + std::to_string(depth) + "," + attention + ")", "",
                [data, depth](const Case& c, const Scope& s) { return cbam_resnet(c, s, data, depth); });
}

void add_mobilenets(Adapters& all) {
  for (const char* name : {"mobilenet_v2", "MobileNetV2"})
    all.add(name, "pytorch/vision", [](const Case& c, const Scope& s) {
      return network(s, {{"type", "mobilenet_v2"}, {"width", option(c, {"width_mult"}, 1.0)}}, kNothing, classifier(c),
                     "torchvision");
    });
  all.add("MBV2_CA", "", [](const Case& c, const Scope& s) {
    return network(s, {{"type", "mobilenet_v2"}, {"width", option(c, {"width_mult"}, 1.0)}},
                   Json::array({{{"at", "backbone.features.{2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17}.post_depthwise"},
                                 {"type", "coordinate"}}}),
                   classifier(c), "houqb and tonylins");
  });
  for (const std::string size : {"large", "small"})
    for (const std::string& name : {"mobilenet_v3_" + size, "MobileNetV3(" + size + ")"})
      all.add(name, "pytorch/vision", [size](const Case& c, const Scope& s) {
        Json head = classifier(c);
        head["hidden"] = {rows(c, "classifier.0.weight", size == "large" ? 1280 : 1024)};
        head["activation"] = "hard_swish";
        return network(s, {{"type", "mobilenet_v3_" + size}, {"width", option(c, {"width_mult"}, 1.0)}}, kNothing, head,
                       "torchvision");
      });
}

const std::map<std::string, int> kVggs{{"VGG", 11}, {"vgg11", 11}, {"vgg13", 13}, {"vgg16", 16}, {"vgg19", 19}};

void add_vggs(Adapters& all) {
  for (const auto& [name, depth] : kVggs)
    for (const std::string suffix : {"", "_bn"})
      all.add(name + suffix, "pytorch/vision", [depth = depth, norm = suffix == "_bn"](const Case& c, const Scope& s) {
        Json b{{"type", "vgg" + std::to_string(depth)}, {"batch_norm", option(c, {"batch_norm"}, norm)}};
        if (c.hyper.contains("cfg")) {
          b["layers"] = Json::array();
          for (const Json& v : c.hyper.at("cfg")) b["layers"].push_back(text(v));
        }
        Json head = classifier(c, static_cast<int>(rows(c, "classifier.6.bias", 10)));
        head["grid"] = 7;
        head["hidden"] = {rows(c, "classifier.0.bias", 4096), rows(c, "classifier.3.bias", 4096)};
        return network(s, b, kNothing, head, "torchvision");
      });
}

void add_transformers(Adapters& all) {
  all.add("VisionTransformer", "pytorch-image-models", [](const Case& c, const Scope& s) {
    const auto has = [&](const char* parameter) { return c.parameter(parameter).rank() > 0; };
    const Json b{{"type", "vit_tiny"},
                 {"size", option(c, {"img_size"}, 224)},
                 {"patch", option(c, {"patch_size"}, 16)},
                 {"width", option(c, {"embed_dim"}, 192)},
                 {"depth", option(c, {"depth"}, 12)},
                 {"heads", option(c, {"num_heads"}, 3)},
                 {"mlp_ratio", option(c, {"mlp_ratio"}, 4.0)},
                 {"class_token", has("cls_token")},
                 {"pool", has("fc_norm.weight") ? "mean" : "token"},
                 {"registers", has("reg_token") ? c.parameter("reg_token")[1] : 0},
                 {"qkv_bias", has("blocks.0.attn.qkv.bias")},
                 {"qk_norm", has("blocks.0.attn.q_norm.weight")},
                 {"pre_norm", has("norm_pre.weight")},
                 {"layer_scale", has("blocks.0.ls1.gamma") ? 1e-5 : 0.0}};
    return network(s, b, kNothing, classifier(c), "timm");
  });
}

Subject swin(const Case& c, const Scope& s, const std::string& source) {
  const bool v2 = c.parameter("layers.0.blocks.0.attn.logit_scale").rank() > 0;
  Json b{{"type", v2 ? "swin_v2_tiny" : "swin_tiny"},
         {"size", option(c, {"img_size"}, v2 ? 256 : 224)},
         {"patch", option(c, {"patch_size"}, 4)},
         {"width", option(c, {"embed_dim"}, 96)},
         {"depths", option(c, {"depths"}, {2, 2, 6, 2})},
         {"heads", option(c, {"num_heads"}, {3, 6, 12, 24})},
         {"window", option(c, {"window_size"}, v2 ? 8 : 7)},
         {"mlp_ratio", option(c, {"mlp_ratio"}, 4.0)},
         {"qkv_bias", option(c, {"qkv_bias"}, true)},
         {"patch_norm", c.parameter("patch_embed.norm.weight").rank() > 0},
         {"absolute_positions", c.parameter("absolute_pos_embed").rank() > 0}};
  if (v2 && c.hyper.contains("pretrained_window_sizes")) b["pretrained_windows"] = c.hyper.at("pretrained_window_sizes");
  if (source == "timm") b["style"] = "timm";
  return network(s, b, kNothing, classifier(c), source);
}

void add_swins(Adapters& all) {
  for (const char* name : {"SwinTransformer", "SwinTransformerV2"}) {
    all.add(name, "microsoft", [](const Case& c, const Scope& s) { return swin(c, s, "microsoft"); });
    all.add(name, "pytorch-image-models", [](const Case& c, const Scope& s) { return swin(c, s, "timm"); });
  }
}

void add_segmentation(Adapters& all) {
  for (const char* name : {"AttU_Net", "U_Net"})
    all.add(name, "LeeJunHyun", [kind = std::string(name)](const Case& c, const Scope& s) {
      const Json b{{"type", kind == "U_Net" ? "unet" : "attention_unet"},
                   {"widths", option(c, {"widths", "filters"}, {64, 128, 256, 512, 1024})}};
      return network(s, b, kNothing, {{"type", "segment"}, {"classes", rows(c, "Conv_1x1.weight", 1)}}, "LeeJunHyun");
    });
  all.add("MAResUNet", "", [](const Case& c, const Scope& s) {
    Json b{{"type", "maresunet"}, {"widths", option(c, {"filters", "widths"}, {64, 128, 256, 512})}};
    b["layers"] = option(c, {"layers"}, {3, 4, 6, 3});
    b["final_width"] = rows(c, "finalconv2.weight", 32);
    return network(s, b, kNothing, {{"type", "segment"}, {"classes", rows(c, "finalconv3.weight", 4)}, {"kernel", 3}}, "lironui");
  });
}

}  // namespace

void add_networks(Adapters& all) {
  all.add("AAN", "haoyuc/A2N", [](const Case& c, const Scope& s) {
    return Subject{make("a2n", c, s, 3, {{"scale", "scale"}, {"nf", "width"}, {"unf", "tail_width"}, {"nb", "blocks"}})};
  });
  for (auto add : {add_torchvision_resnets, add_timm_resnets, add_cbam_resnets, add_mobilenets, add_vggs, add_transformers,
                   add_swins, add_segmentation})
    add(all);
}

}  // namespace fovea::golden
