#include "pipeline/model_facts.hpp"

#include <fmt/format.h>

namespace fovea {
namespace {

using Facts = std::vector<std::pair<std::string, std::string>>;

void add_metadata(const Model& model, Facts& facts) {
  for (const auto& [key, text] : model.metadata())
    if (!key.starts_with("fovea.") && text.size() < 300) facts.emplace_back(key, text);
}

Facts classifier_facts(const Model& model) {
  Facts facts{{"model", model.name()},
              {"classes", std::to_string(model.classes().size())},
              {"parameters", fmt::format("{:.0f} thousand", static_cast<double>(model.params()->count()) / 1e3)},
              {"weights", model.fingerprint()}};
  add_metadata(model, facts);
  return facts;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> model_facts(const Model& model) {
  if (model.classifies()) return classifier_facts(model);
  const int scale = model.upscale().scale;
  const double giga = static_cast<double>(model.multiply_adds({1, 3, 256, 256})) / (256.0 * 256.0) * 1e6 / 1e9;
  Facts facts{{"model", model.name()},
              {"scale", fmt::format("{}x", scale)},
              {"parameters", fmt::format("{:.0f} thousand", static_cast<double>(model.params()->count()) / 1e3)},
              {"arithmetic", fmt::format("{:.0f} billion multiply-adds for a megapixel of input", giga)},
              {"weights", model.fingerprint()}};
  add_metadata(model, facts);
  return facts;
}

}  // namespace fovea
