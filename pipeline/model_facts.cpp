#include "pipeline/model_facts.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <cstring>
#include <span>

namespace fovea {
namespace {

// FNV-1a over 8 bytes at a time: fingerprints tell weights apart, nobody forges them.
class Hash {
 public:
  void add(const void* data, std::size_t size) {
    const char* at = static_cast<const char*>(data);
    for (; size > 0;) {
      std::uint64_t word = 0;
      const std::size_t piece = std::min(size, sizeof word);
      std::memcpy(&word, at, piece);
      value_ = (value_ ^ word) * 0x100000001b3u;
      value_ ^= value_ >> 29;  // so that high bits reach the low ones
      at += piece, size -= piece;
    }
  }
  std::string text() const { return fmt::format("{:016x}", value_); }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325u;
};

using Facts = std::vector<std::pair<std::string, std::string>>;

void add_metadata(const Model& model, Facts& facts) {
  for (const auto& [key, text] : model.metadata())
    if (!key.starts_with("fovea.") && text.size() < 300) facts.emplace_back(key, text);
}

Facts classifier_facts(const Model& model) {
  Facts facts{{"model", model.name()},
              {"classes", std::to_string(model.classes().size())},
              {"parameters", fmt::format("{:.0f} thousand", static_cast<double>(model.params()->count()) / 1e3)},
              {"weights", model_hash(model)}};
  add_metadata(model, facts);
  return facts;
}

}  // namespace

std::string model_hash(const Model& model) {
  Hash hash;
  for (const auto& [name, value] : model.params()->values()) {
    hash.add(name.data(), name.size());
    const Tensor dense = value.contiguous(Layout::row_major);
    hash.add(dense.raw(), dense.bytes());
  }
  return hash.text();
}

std::vector<std::pair<std::string, std::string>> model_facts(const Model& model) {
  if (model.classifies()) return classifier_facts(model);
  const int scale = model.upscale().scale;
  const double giga = static_cast<double>(model.multiply_adds({1, 3, 256, 256})) / (256.0 * 256.0) * 1e6 / 1e9;
  Facts facts{{"model", model.name()},
              {"scale", fmt::format("{}x", scale)},
              {"parameters", fmt::format("{:.0f} thousand", static_cast<double>(model.params()->count()) / 1e3)},
              {"arithmetic", fmt::format("{:.0f} billion multiply-adds for a megapixel of input", giga)},
              {"weights", model_hash(model)}};
  add_metadata(model, facts);
  return facts;
}

}  // namespace fovea
