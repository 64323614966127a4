#include "pipeline/tasks/highlight/normal_recipe.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "modules/core/glob.hpp"
#include "modules/io/yaml.hpp"

namespace fovea {
namespace {

std::string indented(const std::string& text, std::size_t by) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
    out += std::string(by, ' ') + text.substr(at, end - at);
    at = end;
  }
  return out;
}

// "key: ..." as the recipe has it.
std::string entry(const std::string& key, const Yaml& value, std::size_t by) {
  const std::string text = value.str();
  return std::string(by, ' ') + key + ":" + (text.starts_with(' ') ? text : "\n" + indented(text, by + 2));
}

std::string without(const Yaml& mapping, const std::vector<std::string>& left_out, std::size_t by) {
  std::string out;
  for (const std::string& key : mapping.keys())
    if (std::find(left_out.begin(), left_out.end(), key) == left_out.end()) out += entry(key, mapping.at(key), by);
  return out;
}

// The rules that put something into the backbone.
std::string backbone_rules(const Model& network, const Yaml& attention) {
  std::string out;
  for (const Yaml& rule : attention.items()) {
    const Glob at(rule.at("at").scalar());
    const bool used = std::any_of(network.slots().begin(), network.slots().end(), [&](const SlotRules::Offer& o) {
      return o.path.starts_with("backbone.") && at.matches(o.path);
    });
    if (used) out += "    -\n" + indented(rule.str(), 6);
  }
  return out.empty() ? out : "  attention:\n" + out;
}

}  // namespace

std::vector<std::string> middle_features(const Model& network) {
  std::vector<std::string> names;
  const std::vector<Feature> all = network.features();
  for (const int stride : {8, 16}) {
    const auto last = std::find_if(all.rbegin(), all.rend(), [&](const Feature& f) { return f.stride == stride; });
    if (last != all.rend()) names.push_back(last->name);
  }
  if (names.empty() && !all.empty()) names.push_back(all.back().name);
  return names;
}

std::string normal_recipe(const Model& network, const NormalRecipe& r) {
  const Yaml base = Yaml::parse(network.recipe(), network.name());
  const Yaml& model = base.at("model");
  check(model.has("backbone"), network.name(), ": has no backbone whose features could be taken");
  std::string text = "fovea: 1\n";
  if (base.has("accepts")) text += entry("accepts", base.at("accepts"), 0);
  text += "model:\n  backbone:\n" + without(model.at("backbone"), {"features"}, 4);
  text += fmt::format("    features: [\"{}\"]\n", fmt::join(r.features, "\", \""));
  if (model.has("attention")) text += backbone_rules(network, model.at("attention"));
  text += fmt::format("  head: {{type: patch_memory, vectors: {}, smooth: {}, mean: {}, spread: {}, limit: {}}}\n", r.vectors,
                      r.smooth, r.mean, r.spread, r.limit);
  text += "preprocess:\n";
  if (base.has("preprocess")) text += without(base.at("preprocess"), {"size", "resize", "crop_fraction"}, 2);
  text += r.size > 0 ? fmt::format("  resize: letterbox\n  size: {}\n", r.size) : "  resize: none\n";
  if (!r.fitted.empty()) text += "fitted:\n";
  for (const auto& [key, value] : r.fitted) text += "  " + key + ": " + value + "\n";
  return text;
}

}  // namespace fovea
