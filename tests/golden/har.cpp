#include <algorithm>
#include <regex>

#include "tests/golden/modules.hpp"

// HAR-Net's parameters keep the names of its Caffe networks: "spatt_P3_mask_DC1/w", "fpn_conv3x3_cw1", "featt/cls_score_w". The
// networks differ in what their files do not all state: the first hybrid ones have no norms in the masks; all hybrid
// ones have 32 groups over the levels, the others 16.
namespace fovea::golden {
namespace {

using Values = std::map<std::string, std::string>;
using Rules = std::vector<std::pair<std::regex, std::string>>;

std::string renamed(const Rules& rules, std::string name) {
  for (const auto& [pattern, to] : rules)
    if (std::regex_match(name, pattern)) return std::regex_replace(name, pattern, to);
  return name;
}

std::string leaf(const std::string& letter) { return letter == "w" || letter == "scale" ? "weight" : "bias"; }

// The pyramid level in a name: fpn_pool3, fpn_conv3x3_P3_CA4.
int level_of(const std::string& name) {
  std::smatch found;
  return std::regex_search(name, found, std::regex(R"((?:pool|_P)(\d))")) ? std::stoi(found[1]) : 0;
}

int first_level(const std::vector<std::string>& names) {
  int first = 9;
  for (const std::string& n : names) first = std::min(first, level_of(n));
  return first;
}

bool mentions(const Case& c, const std::string& word) {
  return (c.path + " " + c.name + " " + c.note).find(word) != std::string::npos;
}

// Groups of the mask's norms and of the norms over levels, where the file does not say.
const char* mask_groups(const Case& c) {
  const bool plain = !mentions(c, "hyr_att2") && (mentions(c, "hyr_att") || mentions(c, "al_sp_ch"));
  return plain ? "0" : "4";
}
const char* level_groups(const Case& c) { return mentions(c, "hyr_att") || mentions(c, "al_sp_ch") ? "32" : "16"; }

void take(const Case& c, Values& values, const std::vector<std::pair<std::string, std::string>>& names) {
  for (const auto& [theirs, ours] : names)
    if (c.hyper.contains(theirs) && !c.hyper.at(theirs).is_array())
      values[ours] = c.hyper.at(theirs).is_null() || c.hyper.at(theirs) == false ? "0" : text(c.hyper.at(theirs));
}

std::int64_t channels_of(const Case& c) { return c.hyper.at(c.hyper.contains("channels") ? "channels" : "in_channels"); }

// "spatt_P4_mask_DC2/w" -> "levels.1.convs.1.weight".
std::string rename_mask(const std::string& name, int first) {
  std::smatch m;
  if (!std::regex_match(name, m, std::regex(R"(spatt_P(\d)_mask(?:_DC(\d)|/1x1)/([wb]))"))) return name;
  const std::string step = m[2].matched ? "convs." + std::to_string(std::stoi(m[2]) - 1) : "out";
  return "levels." + std::to_string(std::stoi(m[1]) - first) + "." + step + "." + leaf(m[3]);
}

Subject spatial(const Case& c, const Scope& s) {
  Subject out;
  std::vector<std::string> features;
  for (const std::string& name : c.inputs) (name.find("pool") != std::string::npos ? out.inputs : features).push_back(name);
  Values values{{"levels", std::to_string(out.inputs.size())}, {"groups", mask_groups(c)}};
  take(c, values, {{"mask_channels", "mask_channels"}, {"gn_groups", "groups"}, {"group_num", "groups"}});
  const int first = first_level(out.inputs);
  out.inputs.insert(out.inputs.end(), features.begin(), features.end());
  out.block = make("har_spatial", c, s, channels_of(c), {}, values);
  out.rename = [first](const std::string& name) { return rename_mask(name, first); };
  return out;
}

Subject channel(const Case& c, const Scope& s) {
  Subject out{make("har_channel", c, s, channels_of(c), {{"squeeze", "squeeze"}}, {{"levels", std::to_string(c.inputs.size())}})};
  out.rename = [](const std::string& name) {
    return renamed({{std::regex(R"((?:featt/)?fpn_[cb]w\d_1x1_(\w+))"), "$1.weight"},
                    {std::regex(R"((?:featt/)?fpn_[cb]b\d_1x1_(\w+))"), "$1.bias"}},
                   name);
  };
  return out;
}

Subject sync_norm(const Case& c, const Scope& s) {
  Values values{{"levels", std::to_string(c.inputs.size())}, {"groups", level_groups(c)}};
  take(c, values, {{"group_num", "groups"}, {"gn_groups", "groups"}});
  Subject out{make("har_sync_norm", c, s, channels_of(c), {}, values)};
  out.rename = [](const std::string& name) {
    return renamed({{std::regex(R"(fpn_conv3x3_[cb]w\d)"), "conv.weight"},
                    {std::regex(R"(fpn_conv3x3_[cb]b\d)"), "conv.bias"},
                    {std::regex(R"(fpn_[cb]w\d_scale)"), "norm.weight"},
                    {std::regex(R"(fpn_[cb]w\d_bias)"), "norm.bias"}},
                   name);
  };
  return out;
}

// "fpn_conv5_1a/gn/scale2/w" -> "norm1.weight".
std::string rename_aligned(const std::string& name) {
  std::smatch m;
  if (!std::regex_match(name, m, std::regex(R"(fpn_(offset_)?conv\d_\d([abc])(/gn/scale\d*)?/([wb]))"))) return name;
  const std::string number(1, static_cast<char>('1' + m[2].str()[0] - 'a'));
  return (m[1].matched ? "offset" : (m[3].matched ? "norm" : "conv") + number) + "." + leaf(m[4]);
}

Subject aligned(const Case& c, const Scope& s) {
  Values values;
  for (const char* stage : {"5", "4", "3"}) {
    const Shape w = c.parameter("fpn_conv" + std::string(stage) + "_1a/w");
    if (w.rank() == 4) values["mid"] = std::to_string(w[0]), values["first_kernel"] = std::to_string(w[2]);
  }
  const bool caffe =
      std::regex_search(c.note + " " + c.name, std::regex("uses (the )?(original )?Caffe|caffe_border|clamp border"));
  values["border"] = caffe ? "clamp" : "zero";
  take(c, values,
       {{"mid", "mid"}, {"deformable_group", "deform_groups"}, {"deform_groups", "deform_groups"}, {"gn_groups", "groups"}});
  Subject out{make("har_aligned", c, s, channels_of(c), {}, values)};
  out.rename = rename_aligned;
  return out;
}

std::string rename_head(const std::string& name, int first, bool scales) {
  const std::string mask = rename_mask(name, first);
  if (mask != name) return "spatial." + mask;
  std::smatch m;
  const auto subnet = [](const std::string& letter) { return std::string(letter == "c" ? "cls" : "box"); };
  if (std::regex_match(name, m, std::regex(R"((featt/)?(cls_score|bbox_pred)_([wb]))")))
    return subnet(m[2] == "cls_score" ? "c" : "b") + (m[1].matched ? "_hybrid.out." : ".") + leaf(m[3]);
  if (std::regex_match(name, m, std::regex(R"((?:featt/)?fpn_([cb])([wb])\d_1x1_(\w+))")))
    return subnet(m[1]) + (scales ? "_channel." : "_hybrid.channel.") + m[3].str() + "." + leaf(m[2]);
  if (std::regex_match(name, m, std::regex(R"(featt/fpn_conv3x3_([cb])([wb])\d)")))
    return subnet(m[1]) + "_hybrid.conv." + leaf(m[2]);
  if (std::regex_match(name, m, std::regex(R"(fpn_conv3x3_([cb])([wb])(\d))")))
    return subnet(m[1]) + "_convs." + std::to_string(std::stoi(m[3]) - 1) + ".conv." + leaf(m[2]);
  if (std::regex_match(name, m, std::regex(R"(fpn_([cb])w(\d)_(scale|bias))")))
    return subnet(m[1]) + "_convs." + std::to_string(std::stoi(m[2]) - 1) + ".norm." + leaf(m[3]);
  return name;
}

Subject head(const Case& c, const Scope& s) {
  const auto has = [&](const std::string& name) { return c.parameter(name).rank() > 0; };
  const int first = first_level(c.inputs);
  const bool hybrid = has("featt/cls_score_w"), scales = has("fpn_cw4_1x1_down");
  int convs = 0, norms = 0;
  while (has("fpn_conv3x3_cw" + std::to_string(convs + 1))) ++convs;
  while (has("fpn_cw" + std::to_string(norms + 1) + "_scale")) ++norms;
  Values values{{"levels", std::to_string(c.inputs.size())},
                {"convs", std::to_string(convs)},
                {"norms", std::to_string(norms)},
                {"spatial", has("spatt_P" + std::to_string(first) + "_mask_DC1/w") ? "true" : "false"},
                {"channel", hybrid   ? "hybrid"
                            : scales ? "scale"
                                     : "none"},
                {"cls_out", std::to_string(c.parameter("cls_score_w")[0])},
                {"box_out", std::to_string(c.parameter("bbox_pred_w")[0])},
                {"groups", level_groups(c)},
                {"mask_groups", mask_groups(c)}};
  const Shape down = c.parameter(hybrid ? "featt/fpn_cw4_1x1_down" : "fpn_cw4_1x1_down");
  if (down.rank() > 0) values["squeeze"] = std::to_string(down[0]);
  take(c, values, {{"mask_channels", "mask_channels"}, {"mask_groups", "mask_groups"}, {"group_num", "groups"}});
  Subject out{make("har_head", c, s, channels_of(c), {}, values)};
  out.rename = [first, scales](const std::string& name) { return rename_head(name, first, scales); };
  for (const char* kind : {"cls_score_P", "bbox_pred_P"})
    for (std::size_t i = 0; i < c.inputs.size(); ++i)
      out.outputs.push_back((hybrid ? "mixatt/" : "") + std::string(kind) + std::to_string(first + static_cast<int>(i)));
  return out;
}

}  // namespace

void add_har(Adapters& all) {
  all.add("HAR-Net spatial attention*", "", spatial);
  all.add("HAR-Net cross-level channel attention*", "", channel);
  all.add("HAR-Net channel attention*", "", channel);
  all.add("HAR-Net conv + cross-level group norm*", "", sync_norm);
  all.add("HAR-Net cross-level group norm*", "", sync_norm);
  all.add("HAR-Net aligned attention*", "", aligned);
  all.add("HAR-Net *", "", head);
}

}  // namespace fovea::golden
