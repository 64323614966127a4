#include "pipeline/operation.hpp"

#include <fmt/format.h>

namespace fovea {

constexpr std::size_t kLongestNote = 300;  // of a model file's metadata that is shown

std::vector<std::pair<std::string, std::string>> Operation::facts() const {
  const Model& m = model();
  std::vector<std::pair<std::string, std::string>> facts{{"model", m.name()}};
  if (!m.classes().empty()) facts.emplace_back("classes", std::to_string(m.classes().size()));
  facts.emplace_back("parameters", fmt::format("{:.0f} thousand", static_cast<double>(m.params()->count()) / 1e3));
  facts.emplace_back("weights", m.fingerprint());
  for (const auto& [key, text] : m.metadata())
    if (!key.starts_with("fovea.") && text.size() < kLongestNote) facts.emplace_back(key, text);
  return facts;
}

}  // namespace fovea
