// Text as a row of tokens, for networks that write text: words of a vocabulary, or byte pairs.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "modules/core/json.hpp"

namespace fovea {

class TextEncoder {
 public:
  // The first tokens of every encoder: <pad>, <start>, <end>, <unk>. No text encodes to the first three.
  static constexpr std::int64_t kPad = 0, kStart = 1, kEnd = 2, kUnknown = 3, kSpecial = 4;
  static constexpr std::int64_t kMostTokens = 1'000'000;

  virtual ~TextEncoder() = default;
  virtual std::int64_t size() const = 0;  // of all tokens, the special ones too
  virtual std::vector<std::int64_t> encode(std::string_view text) const = 0;
  // Up to the first <end>; <pad> and <start> are passed over. Error for a number that is no token.
  virtual std::string decode(std::span<const std::int64_t> tokens) const = 0;
  // What a token stands for, for people. Error for a number that is none.
  virtual std::string token(std::int64_t number) const = 0;
  // For a model file's metadata; encoder_from gives the same encoder.
  virtual nlohmann::ordered_json json() const = 0;

 protected:
  void check_token(std::int64_t number) const;
};

const std::vector<std::string>& special_tokens();

// What json() wrote. Error that names the key for anything else: another kind, tokens that are there twice or are no words,
// merges of tokens that come later.
std::unique_ptr<TextEncoder> encoder_from(const JsonValue& json);

}  // namespace fovea
