#include "datasets/text/encoder.hpp"

#include "datasets/text/byte_pairs.hpp"
#include "datasets/text/vocabulary.hpp"

namespace fovea {

void TextEncoder::check_token(std::int64_t number) const {
  check(number >= 0 && number < size(), "text: expected a token from 0 to ", size() - 1, ", got ", number);
}

const std::vector<std::string>& special_tokens() {
  static const std::vector<std::string> all{"<pad>", "<start>", "<end>", "<unk>"};
  return all;
}

std::unique_ptr<TextEncoder> encoder_from(const JsonValue& json) {
  const JsonValue kind = json.at("kind");
  const std::string name = kind.text();
  if (name == Vocabulary::kKind) return std::make_unique<Vocabulary>(Vocabulary::from_json(json));
  if (name == BytePairs::kKind) return std::make_unique<BytePairs>(BytePairs::from_json(json));
  kind.wrong("'words' or 'byte_pairs'");
}

}  // namespace fovea
