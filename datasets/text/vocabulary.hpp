// Each word (words.hpp) that is frequent enough is a token; all others are <unk>.
#pragma once

#include <unordered_map>

#include "datasets/text/encoder.hpp"

namespace fovea {

class Vocabulary final : public TextEncoder {
 public:
  static constexpr std::string_view kKind = "words";

  // The words in the order of their tokens, without the special ones. Error for a word that is there twice, or that words_of
  // does not give.
  explicit Vocabulary(std::vector<std::string> words);
  // Words that occur at least `least` times in the texts, the most frequent first; equals by their bytes. Error where `least` is
  // below 1.
  static Vocabulary of(const std::vector<std::string>& texts, std::int64_t least);
  static Vocabulary from_json(const JsonValue& json);

  std::int64_t size() const override { return static_cast<std::int64_t>(tokens_.size()); }
  std::vector<std::int64_t> encode(std::string_view text) const override;
  std::string decode(std::span<const std::int64_t> tokens) const override;  // words with blanks between
  std::string token(std::int64_t number) const override;
  nlohmann::ordered_json json() const override;  // {"kind": "words", "tokens": ["<pad>", ...]}

 private:
  std::vector<std::string> tokens_;
  std::unordered_map<std::string, std::int64_t> numbers_;
};

}  // namespace fovea
