// Byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909) over bytes, as Radford et al. 2019 have it: every text, of any
// bytes, has tokens without <unk>, and they give the text back byte for byte.
//
// A text is cut into pieces, across which nothing is merged: bytes up to the next blank together with one blank before them,
// every other blank alone; at most kMostBytes bytes. Tokens are the four special ones, the 256 bytes, then one for each merge.
#pragma once

#include <unordered_map>
#include <utility>

#include "datasets/text/encoder.hpp"

namespace fovea {

class BytePairs final : public TextEncoder {
 public:
  static constexpr std::string_view kKind = "byte_pairs";
  static constexpr std::int64_t kBytes = 256, kFirstMerge = kSpecial + kBytes;
  static constexpr std::size_t kMostBytes = 64;  // of a token, too
  using Merge = std::pair<std::int64_t, std::int64_t>;

  // In the order in which they were learned. Error for a merge of special tokens or of ones that come later, that is there
  // twice, or is longer than a piece.
  explicit BytePairs(std::vector<Merge> merges);
  // Merges the most frequent pair of neighbours again and again, until there are `size` tokens or no pair occurs `least` times;
  // of equally frequent pairs the one with the lower tokens. Error where `size` is below kFirstMerge or above kMostTokens, or
  // `least` below 1.
  static BytePairs of(const std::vector<std::string>& texts, std::int64_t size, std::int64_t least = 2);
  static BytePairs from_json(const JsonValue& json);

  std::int64_t size() const override { return kFirstMerge + static_cast<std::int64_t>(merges_.size()); }
  std::vector<std::int64_t> encode(std::string_view text) const override;
  std::string decode(std::span<const std::int64_t> tokens) const override;
  std::string token(std::int64_t number) const override;  // its bytes, which need not be whole characters
  nlohmann::ordered_json json() const override;           // {"kind": "byte_pairs", "merges": [[left, right], ...]}

 private:
  void encode_piece(std::string_view piece, std::vector<std::int64_t>& to) const;

  std::vector<Merge> merges_;
  std::vector<std::string> tokens_;
  std::unordered_map<std::uint64_t, std::int64_t> merged_;  // by both tokens
};

}  // namespace fovea
