#include "datasets/text/byte_pairs.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

namespace fovea {
namespace {

using Tokens = std::vector<std::int64_t>;
using Merge = BytePairs::Merge;

std::uint64_t key_of(const Merge& m) { return static_cast<std::uint64_t>(m.first) << 32 | static_cast<std::uint64_t>(m.second); }

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

void each_piece(std::string_view text, const std::function<void(std::string_view)>& take) {
  while (!text.empty()) {
    std::size_t end = text.size() > 1 && text[0] == ' ' && !is_blank(text[1]) ? 2 : 1;
    if (!is_blank(text[end - 1]))
      while (end < text.size() && end < BytePairs::kMostBytes && !is_blank(text[end])) ++end;
    take(text.substr(0, end));
    text.remove_prefix(end);
  }
}

Tokens bytes_of(std::string_view piece) {
  Tokens tokens;
  for (const char c : piece) tokens.push_back(TextEncoder::kSpecial + static_cast<std::uint8_t>(c));
  return tokens;
}

// Joins each of the pair's places, from the left.
void join(Tokens& tokens, const Merge& pair, std::int64_t into) {
  std::size_t to = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const bool here = i + 1 < tokens.size() && tokens[i] == pair.first && tokens[i + 1] == pair.second;
    tokens[to++] = here ? into : tokens[i];
    i += here;
  }
  tokens.resize(to);
}

class Trainer {
 public:
  explicit Trainer(const std::vector<std::string>& texts) {
    std::map<std::string, std::int64_t, std::less<>> counts;
    for (const std::string& text : texts)
      each_piece(text, [&](std::string_view piece) {
        const auto found = counts.find(piece);
        if (found != counts.end()) ++found->second;
        else counts.emplace(piece, 1);
      });
    for (const auto& [piece, count] : counts) {
      pieces_.push_back({bytes_of(piece), count});
      count_pairs(pieces_.size() - 1, 1);
    }
  }

  std::vector<Merge> learn(std::int64_t merges, std::int64_t least) {
    std::vector<Merge> learned;
    while (std::ssize(learned) < merges && !queue_.empty() && -queue_.begin()->first >= least) {
      const Merge pair = queue_.begin()->second;
      const std::int64_t into = BytePairs::kFirstMerge + std::ssize(learned);
      const std::set<std::size_t> where = std::move(pairs_.at(pair).pieces);
      for (const std::size_t i : where) {
        count_pairs(i, -1);
        join(pieces_[i].tokens, pair, into);
        count_pairs(i, 1);
      }
      learned.push_back(pair);
    }
    return learned;
  }

 private:
  struct Piece {
    Tokens tokens;
    std::int64_t count;
  };
  struct Pair {
    std::int64_t count = 0;
    std::set<std::size_t> pieces = {};
  };

  // Adds (sign 1) or takes away (-1) the pairs of a piece.
  void count_pairs(std::size_t at, std::int64_t sign) {
    const Piece& piece = pieces_[at];
    for (std::size_t i = 0; i + 1 < piece.tokens.size(); ++i) {
      const Merge pair{piece.tokens[i], piece.tokens[i + 1]};
      Pair& p = pairs_[pair];
      if (p.count > 0) queue_.erase({-p.count, pair});
      p.count += sign * piece.count;
      if (sign > 0) p.pieces.insert(at);
      else p.pieces.erase(at);
      if (p.count > 0) queue_.emplace(-p.count, pair);
      else pairs_.erase(pair);
    }
  }

  std::vector<Piece> pieces_;
  std::map<Merge, Pair> pairs_;
  std::set<std::pair<std::int64_t, Merge>> queue_;  // the most frequent first, equals by their tokens
};

}  // namespace

BytePairs::BytePairs(std::vector<Merge> merges) : merges_(std::move(merges)), tokens_(special_tokens()) {
  check(size() <= kMostTokens, "byte pairs: expected at most ", kMostTokens, " tokens, got ", size());
  for (int b = 0; b < kBytes; ++b) tokens_.emplace_back(1, static_cast<char>(b));
  for (const Merge& m : merges_) {
    for (const std::int64_t part : {m.first, m.second})
      check(part >= kSpecial && part < std::ssize(tokens_), "byte pairs: merge ", tokens_.size() - kFirstMerge,
            ": expected tokens from ", +kSpecial, " to ", tokens_.size() - 1, ", got ", part);
    std::string token = tokens_[static_cast<std::size_t>(m.first)] + tokens_[static_cast<std::size_t>(m.second)];
    check(token.size() <= kMostBytes, "byte pairs: merge ", tokens_.size() - kFirstMerge, ": expected at most ", +kMostBytes,
          " bytes, got ", token.size());
    check(merged_.emplace(key_of(m), std::ssize(tokens_)).second, "byte pairs: merge ", tokens_.size() - kFirstMerge,
          " is there twice");
    tokens_.push_back(std::move(token));
  }
}

BytePairs BytePairs::of(const std::vector<std::string>& texts, std::int64_t size, std::int64_t least) {
  check(size >= kFirstMerge && size <= kMostTokens, "byte pairs: expected from ", +kFirstMerge, " to ", +kMostTokens,
        " tokens, got ", size);
  check(least >= 1, "byte pairs: expected pairs that occur at least once, got ", least);
  return BytePairs(Trainer(texts).learn(size - kFirstMerge, least));
}

BytePairs BytePairs::from_json(const JsonValue& json) {
  const JsonValue list = json.at("merges");
  std::vector<Merge> merges;
  for (const JsonValue& m : list.items()) {
    const auto both = m.items();
    check(both.size() == 2, m.where(), ": expected two tokens, got ", both.size());
    merges.emplace_back(both[0].whole<std::int64_t>(), both[1].whole<std::int64_t>());
  }
  const PathScope where(list.where());
  return BytePairs(std::move(merges));
}

void BytePairs::encode_piece(std::string_view piece, Tokens& to) const {
  Tokens tokens = bytes_of(piece);
  for (;;) {
    Merge first;
    std::int64_t into = size();
    for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
      const auto found = merged_.find(key_of({tokens[i], tokens[i + 1]}));
      if (found != merged_.end() && found->second < into) into = found->second, first = {tokens[i], tokens[i + 1]};
    }
    if (into == size()) break;
    join(tokens, first, into);
  }
  to.insert(to.end(), tokens.begin(), tokens.end());
}

std::vector<std::int64_t> BytePairs::encode(std::string_view text) const {
  Tokens tokens;
  each_piece(text, [&](std::string_view piece) { encode_piece(piece, tokens); });
  return tokens;
}

std::string BytePairs::decode(std::span<const std::int64_t> tokens) const {
  std::string text;
  for (const std::int64_t t : tokens) {
    check_token(t);
    if (t == kEnd) break;
    if (t != kPad && t != kStart) text += tokens_[static_cast<std::size_t>(t)];
  }
  return text;
}

std::string BytePairs::token(std::int64_t number) const {
  check_token(number);
  return tokens_[static_cast<std::size_t>(number)];
}

nlohmann::ordered_json BytePairs::json() const { return {{"kind", kKind}, {"merges", merges_}}; }

}  // namespace fovea
