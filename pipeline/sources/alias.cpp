#include "pipeline/sources/alias.hpp"

#include <cctype>
#include <set>

namespace fovea {
namespace fs = std::filesystem;
namespace {

// Of a name: letters and digits, and all bytes of other alphabets.
bool in_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || static_cast<unsigned char>(c) >= 128; }

void replace_words(std::string& text, const std::string& word, const std::string& by) {
  for (std::size_t at = 0; (at = text.find(word, at)) != std::string::npos;) {
    const std::size_t end = at + word.size();
    const bool whole = (at == 0 || !in_word(text[at - 1]) || !in_word(word.front())) &&
                       (end == text.size() || !in_word(text[end]) || !in_word(word.back()));
    if (whole) text.replace(at, word.size(), by);
    at += whole ? by.size() : 1;
  }
}

bool longer(const std::string& a, const std::string& b) { return a.size() != b.size() ? a.size() > b.size() : a < b; }

}  // namespace

std::string with_alias(std::string text, const std::vector<fs::path>& files, const std::string& alias) {
  std::set<std::string, bool (*)(const std::string&, const std::string&)> words(longer);  // the longest first: names are in paths
  for (const fs::path& file : files) {
    const fs::path full = fs::absolute(file).lexically_normal();
    words.insert({file.string(), full.string(), full.parent_path().string(), full.filename().string(), full.stem().string()});
  }
  for (const std::string& word : words)
    if (word.size() > 1) replace_words(text, word, alias);
  return text;
}

}  // namespace fovea
