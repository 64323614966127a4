// Text as words, nearly as the Penn Treebank splits them (https://catalog.ldc.upenn.edu/docs/LDC95T7/treebank2.index.html), in
// small letters and without punctuation. The rule, by code points of UTF-8:
//   - blanks separate words; so do control characters and bytes that are not UTF-8. Soft hyphens are passed over.
//   - letters and digits in a row are a word: "3rd", "mp3", "café". Each Han ideograph is a word.
//   - a hyphen stays between two of them: "t-shirt"; so do . , and : between digits: "3.5", "1,000", "10:30"; a period between
//     single letters: "U.S." is "u.s"; an apostrophe (' or U+2019) before a letter: "o'clock".
//   - 's 'm 'd 'll 're 've and n't at the end of a word are words: "it's" is "it 's", "can't" is "ca n't"; so they are where
//     they stand alone.
//   - a symbol ($ % & + = # @, emoji, see characters.hpp) is a word, with the modifiers behind it; symbols joined by U+200D, and
//     two regional indicators, which are a flag, are one.
//   - each other mark is punctuation: left out, or with `punctuation` a word.
// Words joined by blanks give the same words again. What the Treebank splits by lists of words ("cannot") is not split.
// Combining characters are not composed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fovea {

struct WordsOptions {
  bool lower = true, punctuation = false;
};

std::vector<std::string> words_of(std::string_view text, const WordsOptions& options = {});

// Of text that was split before: what stands between blanks of ASCII, as it is.
std::vector<std::string> split_words(std::string_view text);

std::string join_words(const std::vector<std::string>& words);

}  // namespace fovea
