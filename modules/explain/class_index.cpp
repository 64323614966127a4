#include "modules/explain/class_index.hpp"

#include <algorithm>

#include "modules/core/error.hpp"
#include "modules/nn/args.hpp"

namespace fovea::explain {
namespace {

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

// What stands between commas, without blanks around it.
std::vector<std::string> synonyms(const std::string& name) {
  std::vector<std::string> all;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find(',', begin), name.size());
    const std::string part = name.substr(begin, end - begin);
    const std::size_t first = part.find_first_not_of(' ');
    if (first != std::string::npos) all.push_back(part.substr(first, part.find_last_not_of(' ') - first + 1));
    begin = end + 1;
  }
  return all;
}

// How well a class fits: 3 the name itself, 2 all of its synonyms, 1 some of them, 0 not at all.
int fit(const std::string& text, const std::string& name) {
  if (text == name) return 3;
  const auto wanted = synonyms(lower(text)), there = synonyms(lower(name));
  if (wanted.empty()) return 0;
  if (wanted == there) return 2;
  const auto has = [&](const std::string& w) { return std::find(there.begin(), there.end(), w) != there.end(); };
  return std::all_of(wanted.begin(), wanted.end(), has) ? 1 : 0;
}

std::vector<std::int64_t> fitting(const std::string& text, const std::vector<std::string>& classes) {
  int best = 1;
  std::vector<std::int64_t> found;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    const int f = fit(text, classes[i]);
    if (f > best) found.clear();
    best = std::max(best, f);
    if (f == best) found.push_back(static_cast<std::int64_t>(i));
  }
  return found;
}

// The synonym nearest to `text`, or one that has it in it ("cat": "Egyptian cat"); "" where there is neither.
std::string near_name(const std::string& text, const std::vector<std::string>& classes) {
  const std::string wanted = lower(text);
  std::vector<std::string> names, lowered;
  for (const std::string& c : classes)
    for (std::string& s : synonyms(c)) lowered.push_back(lower(s)), names.push_back(std::move(s));
  auto found = std::find(lowered.begin(), lowered.end(), nearest(wanted, lowered));
  if (found == lowered.end() && wanted.size() > 2)
    found = std::find_if(lowered.begin(), lowered.end(), [&](const auto& s) { return s.find(wanted) != std::string::npos; });
  return found == lowered.end() ? "" : names[static_cast<std::size_t>(found - lowered.begin())];
}

}  // namespace

std::int64_t class_index(const std::string& text, const std::vector<std::string>& classes) {
  const auto found = fitting(text, classes);
  if (found.size() > 1) {
    std::string all;
    for (const std::int64_t i : found)
      all += (all.empty() ? "" : "; ") + std::to_string(i) + " '" + classes[static_cast<std::size_t>(i)] + "'";
    fail("explain: class '", text, "': several classes are called so; give the index of one: ", all);
  }
  if (!found.empty()) return found.front();
  if (!text.empty() && text.size() < 10 && text.find_first_not_of("0123456789") == std::string::npos) {
    const std::int64_t index = std::stoll(text);
    check(index < static_cast<std::int64_t>(classes.size()), "explain: class ", text, ": expected an index of 0 to ",
          classes.size() - 1);
    return index;
  }
  const std::string near = near_name(text, classes);
  fail("explain: class '", text, "': the model has no such class", near.empty() ? "" : "; did you mean '" + near + "'?",
       "; it has ", classes.size(), ", such as ", classes.front(), " and ", classes.back());
}

}  // namespace fovea::explain
