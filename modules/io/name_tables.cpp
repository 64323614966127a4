// The tables, one a family and source. Sources: torchvision 0.14 (models/), timm 1.0 (models/), and the authors' repositories that
// the comments name.
#include "modules/io/name_map.hpp"

namespace fovea {
namespace {

using Rules = std::vector<NameRule>;

// What attention modules call their parameters elsewhere, and here.
const Rules& inside_attention() {
  static const Rules& rules = *new Rules{// SE: moskomule (fc.0, fc.2), timm's EfficientNets.
                                         {"fc.0.**", "fc1."},
                                         {"fc.2.**", "fc2."},
                                         {"conv_reduce.**", "fc1."},
                                         {"conv_expand.**", "fc2."},
                                         // CBAM and BAM: Jongchan/attention-module; CBAM: timm.
                                         {"ChannelGate.mlp.1.**", "channel.fc1."},
                                         {"ChannelGate.mlp.3.**", "channel.fc2."},
                                         {"channel_att.gate_c.gate_c_fc_0.**", "channel.fc1."},
                                         {"channel_att.gate_c.gate_c_bn_1.**", "channel.bn."},
                                         {"channel_att.gate_c.gate_c_fc_final.**", "channel.fc2."},
                                         {"channel_att.gate_c.gate_c_fc_**", "channel.hidden."},
                                         {"channel_att.gate_c.gate_c_bn_**", "channel.hidden_bn."},
                                         {"spatial_att.gate_s.gate_s_conv_reduce0.**", "spatial.reduce."},
                                         {"spatial_att.gate_s.gate_s_bn_reduce0.**", "spatial.reduce_bn."},
                                         {"spatial_att.gate_s.gate_s_conv_di_**", "spatial.dilated."},
                                         {"spatial_att.gate_s.gate_s_bn_di_**", "spatial.dilated_bn."},
                                         {"spatial_att.gate_s.gate_s_conv_final.**", "spatial.final."},
                                         {"spatial.conv.conv.**", "spatial.conv."},
                                         {"spatial.conv.bn.**", "spatial.bn."},
                                         // Triplet attention: landskape-ai.
                                         {"ChannelGateH.spatial.**", "height."},
                                         {"ChannelGateW.spatial.**", "width."},
                                         {"SpatialGate.spatial.**", "spatial."},
                                         {"**", ""}};
  return rules;
}

// `theirs` ends in the attribute's name; `ours` in the slot; `last` is the capture behind them ("$3").
Rules attention_at(const std::string& theirs, const std::string& ours, const std::string& last) {
  Rules rules;
  for (const NameRule& inner : inside_attention()) rules.push_back({theirs + "." + inner.from, ours + ".*." + inner.to + last});
  return rules;
}

// Attention that others write into the residual block itself, under the names that repositories use.
Rules attention_in(const std::string& block, const std::string& ours, const std::string& last) {
  Rules rules;
  for (const char* name : {"se", "eca", "cbam", "srm", "attn", "attention", "triplet_attention", "gct", "ca", "coordatt",
                           "context_block", "scse", "att"})
    for (NameRule& rule : attention_at(block + "." + name, ours, last)) rules.push_back(std::move(rule));
  return rules;
}

Rules joined(std::initializer_list<Rules> lists) {
  Rules all;
  for (const Rules& l : lists) all.insert(all.end(), l.begin(), l.end());
  return all;
}

const Rules kRest{{"**", "backbone.$1"}};

// torchvision and timm agree. Attention: SE (moskomule), ECA (BangguWu), CBAM and BAM (Jongchan), triplet (landskape-ai), timm's `se`.
Rules resnet() {
  return joined({{{"fc.**", "head.fc.$1"}},
                 attention_at("bam*", "backbone.layer$1.after_stage", "$2"),
                 attention_in("layer*.*", "backbone.layer$1.$2.pre_add", "$3"),
                 kRest});
}

Rules mobilenet_v2() {
  return joined(
      {{{"classifier.1.**", "head.fc.$1"}, {"classifier.weight", "head.fc.weight"}, {"classifier.bias", "head.fc.bias"}}, kRest});
}

// One convolution after another without names of their own, as in tonylins/pytorch-mobilenet-v2; houqb/CoordAttention puts its block
// behind the depthwise one.
Rules mobilenet_v2_flat() {
  return joined({{{"features.1.conv.0.**", "backbone.features.1.conv.0.0.$1"},
                  {"features.1.conv.1.**", "backbone.features.1.conv.0.1.$1"},
                  {"features.1.conv.3.**", "backbone.features.1.conv.1.$1"},
                  {"features.1.conv.4.**", "backbone.features.1.conv.2.$1"},
                  {"features.*.conv.0.**", "backbone.features.$1.conv.0.0.$2"},
                  {"features.*.conv.1.**", "backbone.features.$1.conv.0.1.$2"},
                  {"features.*.conv.3.**", "backbone.features.$1.conv.1.0.$2"},
                  {"features.*.conv.4.**", "backbone.features.$1.conv.1.1.$2"},
                  {"features.*.conv.6.conv2.**", "backbone.features.$1.post_depthwise.*.conv_h.$2"},
                  {"features.*.conv.6.conv3.**", "backbone.features.$1.post_depthwise.*.conv_w.$2"},
                  {"features.*.conv.6.*.**", "backbone.features.$1.post_depthwise.*.$2.$3"},
                  {"features.*.conv.6.*", "backbone.features.$1.conv.2.$2"},
                  {"features.*.conv.7.weight", "backbone.features.$1.conv.2.weight"},
                  {"features.*.conv.7.**", "backbone.features.$1.conv.3.$2"},
                  {"features.*.conv.8.**", "backbone.features.$1.conv.3.$2"},
                  {"conv.**", "backbone.features.18.$1"},
                  {"classifier.1.**", "head.fc.$1"},
                  {"classifier.**", "head.fc.$1"}},
                 kRest});
}

// timm counts blocks within stages. Each stage's block count is given; a block's parts are in `parts`, the first stage's in `first`.
Rules timm_blocks(const std::vector<int>& stages, const Rules& first, const Rules& parts) {
  Rules rules;
  int index = 1;
  for (std::size_t stage = 0; stage < stages.size(); ++stage)
    for (int k = 0; k < stages[stage]; ++k, ++index)
      for (const NameRule& part : stage == 0 ? first : parts)
        rules.push_back({"blocks." + std::to_string(stage) + "." + std::to_string(k) + "." + part.from + ".**",
                         "backbone.features." + std::to_string(index) + "." + part.to + ".$1"});
  return rules;
}

Rules mobilenet_v2_timm() {
  return joined({{{"conv_stem.**", "backbone.features.0.0.$1"}, {"bn1.**", "backbone.features.0.1.$1"}},
                 timm_blocks({1, 2, 3, 4, 3, 3, 1},
                             {{"conv_dw", "conv.0.0"}, {"bn1", "conv.0.1"}, {"conv_pw", "conv.1"}, {"bn2", "conv.2"}},
                             {{"conv_pw", "conv.0.0"},
                              {"bn1", "conv.0.1"},
                              {"conv_dw", "conv.1.0"},
                              {"bn2", "conv.1.1"},
                              {"conv_pwl", "conv.2"},
                              {"bn3", "conv.3"},
                              {"se", "post_depthwise.*"}}),
                 {{"conv_head.**", "backbone.features.18.0.$1"},
                  {"bn2.**", "backbone.features.18.1.$1"},
                  {"classifier.**", "head.fc.$1"}}});
}

// The classifier: two hidden layers, or none.
Rules vgg() {
  return joined({{{"classifier.0.**", "head.hidden.0.$1"},
                  {"classifier.3.**", "head.hidden.1.$1"},
                  {"classifier.6.**", "head.fc.$1"},
                  {"classifier.weight", "head.fc.weight"},
                  {"classifier.bias", "head.fc.bias"}},
                 kRest});
}
Rules vgg_timm() {
  return joined(
      {{{"pre_logits.fc1.**", "head.hidden.0.$1"}, {"pre_logits.fc2.**", "head.hidden.1.$1"}, {"head.fc.**", "head.fc.$1"}},
       kRest});
}

// The classifier's first layer is the head's hidden one.
Rules mobilenet_v3() { return joined({{{"classifier.0.**", "head.hidden.0.$1"}, {"classifier.3.**", "head.fc.$1"}}, kRest}); }
// One stage's blocks: their expanding convolution is absent where the width stays, and their attention where there is none, so that what follows
// moves up. The result's stars find the place by what the network has.
Rules mobilenet_v3_timm(const std::vector<int>& stages) {
  Rules rules{{"conv_stem.**", "backbone.features.0.0.$1"}, {"bn1.**", "backbone.features.0.1.$1"}};
  int index = 1;
  for (std::size_t stage = 0; stage < stages.size(); ++stage)
    for (int k = 0; k < stages[stage]; ++k, ++index) {
      const std::string from = "blocks." + std::to_string(stage) + "." + std::to_string(k) + ".";
      const std::string to = "backbone.features." + std::to_string(index) + ".block.";
      const bool expands = stage > 0;
      const Rules parts = expands ? Rules{{"conv_pw", "0.0"},          {"bn1", "0.1"},
                                          {"conv_dw", "1.0"},          {"bn2", "1.1"},
                                          {"se.conv_reduce", "2.fc1"}, {"se.conv_expand", "2.fc2"},
                                          {"conv_pwl", "{2,3}.0"},     {"bn3", "{2,3}.1"}}
                                  : Rules{{"conv_dw", "0.0"},          {"bn1", "0.1"},         {"se.conv_reduce", "1.fc1"},
                                          {"se.conv_expand", "1.fc2"}, {"conv_pw", "{1,2}.0"}, {"bn2", "{1,2}.1"}};
      for (const NameRule& part : parts) rules.push_back({from + part.from + ".**", to + part.to + ".$1"});
    }
  const std::string last = std::to_string(stages.size()), next = std::to_string(index);
  return joined({rules,
                 {{"blocks." + last + ".0.conv.**", "backbone.features." + next + ".0.$1"},
                  {"blocks." + last + ".0.bn1.**", "backbone.features." + next + ".1.$1"},
                  {"conv_head.**", "head.hidden.0.$1"},
                  {"classifier.**", "head.fc.$1"}}});
}

// timm's names are ours, but for the head's.
Rules vit() { return joined({{{"head.**", "head.fc.$1"}}, kRest}); }
Rules vit_torchvision() {
  Rules rules{{"class_token", "backbone.cls_token"},
              {"conv_proj.**", "backbone.patch_embed.proj.$1"},
              {"encoder.pos_embedding", "backbone.pos_embed"},
              {"encoder.ln.**", "backbone.norm.$1"},
              {"heads.head.**", "head.fc.$1"}};
  const std::string from = "encoder.layers.encoder_layer_*.", to = "backbone.blocks.$1.";
  for (const NameRule& part : Rules{{"ln_1.**", "norm1.$2"},
                                    {"self_attention.in_proj_*", "attn.qkv.$2"},
                                    {"self_attention.out_proj.**", "attn.proj.$2"},
                                    {"ln_2.**", "norm2.$2"},
                                    {"mlp.{0,linear_1}.**", "mlp.fc1.$2"},
                                    {"mlp.{3,linear_2}.**", "mlp.fc2.$2"}}) {
    const auto open = part.from.find('{'), close = part.from.find('}');
    if (open == std::string::npos) {
      rules.push_back({from + part.from, to + part.to});
      continue;
    }
    const auto comma = part.from.find(',');
    for (const std::string& word : {part.from.substr(open + 1, comma - open - 1), part.from.substr(comma + 1, close - comma - 1)})
      rules.push_back({from + part.from.substr(0, open) + word + part.from.substr(close + 1), to + part.to});
  }
  return rules;
}

// What the blocks compute themselves.
const Rules kSwinBuffers{
    {"**.attn_mask", ""}, {"**.relative_position_index", ""}, {"**.relative_coords_table", ""}, {"**.k_bias", ""}};
Rules swin() { return joined({kSwinBuffers, {{"head.**", "head.fc.$1"}}, kRest}); }
// timm merges patches at the beginning of a stage, torchvision counts merging as a stage.
Rules swin_timm() {
  Rules merging;
  for (int i = 1; i < 8; ++i)
    merging.push_back(
        {"layers." + std::to_string(i) + ".downsample.**", "backbone.layers." + std::to_string(i - 1) + ".downsample.$1"});
  return joined({kSwinBuffers, merging, {{"head.fc.**", "head.fc.$1"}}, kRest});
}
Rules swin_torchvision() {
  Rules stages{{"features.0.0.**", "backbone.patch_embed.proj.$1"}, {"features.0.2.**", "backbone.patch_embed.norm.$1"}};
  for (int i = 0; i < 8; ++i) {
    const std::string from = "features." + std::to_string(2 * i + 1) + ".*.", to = "backbone.layers." + std::to_string(i) + ".";
    stages.push_back({from + "mlp.0.**", to + "blocks.$1.mlp.fc1.$2"});
    stages.push_back({from + "mlp.3.**", to + "blocks.$1.mlp.fc2.$2"});
    stages.push_back({from + "**", to + "blocks.$1.$2"});
    stages.push_back({"features." + std::to_string(2 * i + 2) + ".**", to + "downsample.$1"});
  }
  return joined({kSwinBuffers, stages, {{"head.**", "head.fc.$1"}}, kRest});
}

Rules unet() { return joined({{{"Conv_1x1.**", "head.conv.$1"}}, kRest}); }

// The encoder's stages carry their own names.
Rules maresunet() {
  return joined({{{"firstconv.**", "backbone.encoder.conv1.$1"},
                  {"firstbn.**", "backbone.encoder.bn1.$1"},
                  {"encoder*.**", "backbone.encoder.layer$1.$2"},
                  {"finalconv3.**", "head.conv.$1"}},
                 kRest});
}

}  // namespace

const std::vector<NameMap>& name_maps() {
  static const std::vector<NameMap>& all = *new std::vector<NameMap>{
      {"resnet", "torchvision and timm", "{layer1.0.conv1,*.layer1.0.conv1}.weight", resnet()},
      {"mobilenet_v2", "torchvision", "features.1.conv.0.0.weight", mobilenet_v2()},
      {"mobilenet_v2", "timm", "blocks.5.2.conv_pwl.weight", mobilenet_v2_timm()},
      {"mobilenet_v2", "houqb and tonylins", "features.2.conv.7.weight", mobilenet_v2_flat()},
      {"mobilenet_v3", "torchvision", "features.4.block.2.fc1.weight", mobilenet_v3()},
      {"mobilenet_v3_large", "timm", "blocks.6.0.conv.weight", mobilenet_v3_timm({1, 2, 3, 4, 2, 3})},
      {"mobilenet_v3_small", "timm", "blocks.5.0.conv.weight", mobilenet_v3_timm({1, 2, 3, 2, 3})},
      {"vgg", "torchvision", "classifier.6.weight", vgg()},
      {"vgg", "timm", "pre_logits.fc1.weight", vgg_timm()},
      {"vit", "timm", "blocks.0.attn.qkv.weight", vit()},
      {"vit", "torchvision", "encoder.layers.encoder_layer_0.ln_1.weight", vit_torchvision()},
      {"swin", "microsoft", "layers.0.blocks.0.attn.qkv.weight", swin()},
      {"swin", "timm", "head.fc.weight", swin_timm()},
      {"swin", "torchvision", "features.1.0.attn.qkv.weight", swin_torchvision()},
      {"unet", "LeeJunHyun", "Conv_1x1.weight", unet()},
      {"attention_unet", "LeeJunHyun", "Att5.psi.0.weight", unet()},
      {"maresunet", "lironui", "finaldeconv1.weight", maresunet()},
  };
  return all;
}

}  // namespace fovea
