#include "datasets/text/vocabulary.hpp"

#include <algorithm>

#include "datasets/text/words.hpp"
#include "modules/core/text.hpp"

namespace fovea {

Vocabulary::Vocabulary(std::vector<std::string> words) : tokens_(special_tokens()) {
  check(std::ssize(words) <= kMostTokens, "vocabulary: expected at most ", kMostTokens, " words, got ", words.size());
  tokens_.reserve(tokens_.size() + words.size());
  for (std::string& word : words) {
    check(words_of(word) == std::vector{word}, "vocabulary: expected a word in small letters, got '",
          printable(word.substr(0, 40)), "'");
    check(numbers_.emplace(word, size()).second, "vocabulary: '", word, "' is there twice");
    tokens_.push_back(std::move(word));
  }
}

Vocabulary Vocabulary::of(const std::vector<std::string>& texts, std::int64_t least) {
  check(least >= 1, "vocabulary: expected words that occur at least once, got ", least);
  std::unordered_map<std::string, std::int64_t> counts;
  for (const std::string& text : texts)
    for (std::string& word : words_of(text)) ++counts[std::move(word)];
  std::vector<std::pair<std::string, std::int64_t>> frequent;
  for (auto& entry : counts)
    if (entry.second >= least) frequent.push_back(std::move(entry));
  std::sort(frequent.begin(), frequent.end(),
            [](const auto& a, const auto& b) { return a.second != b.second ? a.second > b.second : a.first < b.first; });
  std::vector<std::string> words;
  for (auto& [word, count] : frequent) words.push_back(std::move(word));
  return Vocabulary(std::move(words));
}

Vocabulary Vocabulary::from_json(const JsonValue& json) {
  const JsonValue list = json.at("tokens");
  const auto tokens = list.items();
  check(std::ssize(tokens) >= kSpecial, list.where(), ": expected at least ", kSpecial, " tokens, got ", tokens.size());
  std::vector<std::string> words;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    std::string token = tokens[i].text();
    if (i >= special_tokens().size()) words.push_back(std::move(token));
    else if (token != special_tokens()[i]) tokens[i].wrong("'" + special_tokens()[i] + "'");
  }
  const PathScope where(list.where());
  return Vocabulary(std::move(words));
}

std::vector<std::int64_t> Vocabulary::encode(std::string_view text) const {
  std::vector<std::int64_t> tokens;
  for (const std::string& word : words_of(text)) {
    const auto found = numbers_.find(word);
    tokens.push_back(found == numbers_.end() ? kUnknown : found->second);
  }
  return tokens;
}

std::string Vocabulary::decode(std::span<const std::int64_t> tokens) const {
  std::vector<std::string> words;
  for (const std::int64_t t : tokens) {
    check_token(t);
    if (t == kEnd) break;
    if (t != kPad && t != kStart) words.push_back(tokens_[static_cast<std::size_t>(t)]);
  }
  return join_words(words);
}

std::string Vocabulary::token(std::int64_t number) const {
  check_token(number);
  return tokens_[static_cast<std::size_t>(number)];
}

nlohmann::ordered_json Vocabulary::json() const { return {{"kind", kKind}, {"tokens", tokens_}}; }

}  // namespace fovea
