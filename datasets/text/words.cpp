#include "datasets/text/words.hpp"

#include <algorithm>
#include <array>

#include "datasets/text/characters.hpp"

namespace fovea {
namespace {

using Kind = CharacterKind;

constexpr char32_t kApostrophe = '\'', kJoiner = 0x200d, kSoftHyphen = 0xad;
constexpr std::array<std::u32string_view, 7> kEndings = {U"'s", U"'m", U"'d", U"'ll", U"'re", U"'ve", U"n't"};

std::vector<char32_t> prepared(std::string_view text, bool lower) {
  std::vector<char32_t> all = characters_of(text);
  std::erase(all, kSoftHyphen);
  for (char32_t& c : all) {
    if (c == 0x2019 || c == 0x2bc) c = kApostrophe;
    if (c == 0x2010 || c == 0x2011) c = '-';
    if (lower) c = lower_case(c);
  }
  return all;
}

class Splitter {
 public:
  Splitter(std::string_view text, const WordsOptions& options) : text_(prepared(text, options.lower)), options_(options) {}

  std::vector<std::string> split() {
    while (at_ < text_.size()) take();
    return std::move(words_);
  }

 private:
  Kind kind(std::size_t i) const { return i < text_.size() ? kind_of(text_[i]) : Kind::blank; }
  bool is(std::size_t i, char32_t c) const { return i < text_.size() && text_[i] == c; }
  bool digit(std::size_t i) const { return i < text_.size() && is_digit(text_[i]); }
  bool letter(std::size_t i) const { return kind(i) == Kind::letter; }

  void take() {
    switch (kind(at_)) {
      case Kind::letter: return add_word(end_of_word());
      case Kind::ideograph: return add(at_ + 1);
      case Kind::symbol: return add(end_of_symbol());
      case Kind::punctuation:
        if (const std::size_t end = end_of_ending(at_); end > at_) return add(end);
        if (options_.punctuation) return add(at_ + 1);
        break;
      case Kind::blank:
      case Kind::modifier: break;
    }
    ++at_;
  }

  void add(std::size_t end) {
    std::string word;
    for (; at_ < end; ++at_) append_utf8(word, text_[at_]);
    words_.push_back(std::move(word));
  }

  // Whether the mark at `i`, behind a letter or digit, belongs to the word that began at at_.
  bool joins(std::size_t i) const {
    if (is(i, '-')) return letter(i + 1);
    if (is(i, kApostrophe)) return letter(i + 1) && !digit(i + 1);
    if (is(i, '.') || is(i, ',') || is(i, ':')) {
      if (digit(i - 1) && digit(i + 1)) return true;
      const bool single = i - at_ == 1 || (i - at_ > 1 && text_[i - 2] == '.');
      return is(i, '.') && single && !digit(i - 1) && letter(i + 1) && !digit(i + 1) && !letter(i + 2);
    }
    return false;
  }

  std::size_t end_of_word() const {
    std::size_t end = at_ + 1;
    while (letter(end) || joins(end)) ++end;
    return end;
  }

  // Where 's and its like end that begin at `i`; `i` itself where there is none.
  std::size_t end_of_ending(std::size_t i) const {
    for (const std::u32string_view ending : kEndings) {
      const std::size_t end = i + ending.size();
      if (end > text_.size() || letter(end) || (end < text_.size() && joins(end))) continue;
      if (std::equal(ending.begin(), ending.end(), text_.begin() + static_cast<std::ptrdiff_t>(i), same_letter)) return end;
    }
    return i;
  }
  static bool same_letter(char32_t a, char32_t b) { return a == lower_case(b); }

  // Its endings become words.
  void add_word(std::size_t end) {
    std::vector<std::size_t> ends{end};
    for (bool more = true; more;) {
      more = false;
      for (const std::u32string_view ending : kEndings) {
        if (ends.back() < at_ + ending.size() + 1) continue;
        const std::size_t begin = ends.back() - ending.size();
        more = letter(begin - 1) &&
               std::equal(ending.begin(), ending.end(), text_.begin() + static_cast<std::ptrdiff_t>(begin), same_letter);
        if (more) ends.push_back(begin);
        if (more) break;
      }
    }
    for (auto e = ends.rbegin(); e != ends.rend(); ++e) add(*e);
  }

  bool regional(std::size_t i) const { return i < text_.size() && text_[i] >= 0x1f1e6 && text_[i] <= 0x1f1ff; }

  std::size_t end_of_symbol() const {
    std::size_t end = at_ + 1;
    if (regional(at_) && regional(end)) ++end;
    for (;;) {
      if (is(end, kJoiner) && kind(end + 1) == Kind::symbol) end += 2;
      else if (kind(end) == Kind::modifier && !is(end, kJoiner)) ++end;
      else return end;
    }
  }

  std::vector<char32_t> text_;
  WordsOptions options_;
  std::size_t at_ = 0;
  std::vector<std::string> words_;
};

}  // namespace

std::vector<std::string> words_of(std::string_view text, const WordsOptions& options) { return Splitter(text, options).split(); }

std::vector<std::string> split_words(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n\f\v";
  std::vector<std::string> words;
  for (;;) {
    const std::size_t begin = text.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) return words;
    const std::size_t end = std::min(text.find_first_of(kBlanks, begin), text.size());
    words.emplace_back(text.substr(begin, end - begin));
    text.remove_prefix(end);
  }
}

std::string join_words(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& w : words) {
    if (!text.empty()) text += ' ';
    text += w;
  }
  return text;
}

}  // namespace fovea
