#include "pipeline/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "modules/nn/args.hpp"

namespace fovea {
namespace {

template <class T>
T parsed(const Option& option, const std::string& text, T low, T high) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  check(error == std::errc() && end == text.data() + text.size() && value >= low && value <= high, "--", option.name(),
        ": expected a ", option.kind == Option::Kind::integer ? "whole number" : "number", " from ", low, " to ", high, ", got '",
        text, "'");
  return value;
}

void check_choice(const Option& option, const std::string& text) {
  const auto& choices = option.choices;
  if (choices.empty() || std::find(choices.begin(), choices.end(), text) != choices.end()) return;
  fail("--", option.name(), ": expected one of ", fmt::format("{}", fmt::join(choices, ", ")), "; got '", text, "'");
}

}  // namespace

std::string Option::name() const {
  const auto comma = names.rfind(',');
  const std::string last = comma == std::string::npos ? names : names.substr(comma + 1);
  return last.substr(std::min(last.find_first_not_of('-'), last.size()));
}

Option& OptionList::add(const std::string& names, const std::string& text, Option::Kind kind) {
  Option option{names, text, {}, kind, {}, false, {}};
  check(!find(option.name()), "--", option.name(), ": there are two options of that name");
  options_.push_back(std::move(option));
  return options_.back();
}

void OptionList::flag(const std::string& names, bool& value, const std::string& text) {
  add(names, text, Option::Kind::flag).set = [&value](const std::string& word) { value = word != "false"; };
}

template <class T>
void OptionList::add_integer(const std::string& names, T& value, T low, T high, const std::string& text) {
  Option& option = add(names, text, Option::Kind::integer);
  option.fallback = std::to_string(value);
  option.set = [&value, low, high, self = option](const std::string& word) { value = parsed(self, word, low, high); };
}

void OptionList::integer(const std::string& names, int& value, int low, int high, const std::string& text) {
  add_integer(names, value, low, high, text);
}

void OptionList::integer(const std::string& names, std::int64_t& value, std::int64_t low, std::int64_t high,
                         const std::string& text) {
  add_integer(names, value, low, high, text);
}

void OptionList::number(const std::string& names, double& value, double low, double high, const std::string& text) {
  Option& option = add(names, text, Option::Kind::number);
  option.fallback = fmt::format("{}", value);
  option.set = [&value, low, high, self = option](const std::string& word) { value = parsed(self, word, low, high); };
}

void OptionList::word(const std::string& names, std::string& value, const std::string& text, std::vector<std::string> choices) {
  Option& option = add(names, text, Option::Kind::word);
  option.fallback = value;
  option.choices = std::move(choices);
  option.set = [&value, self = option](const std::string& word) {
    check_choice(self, word);
    value = word;
  };
}

void OptionList::optional_word(const std::string& names, std::string& value, const std::string& text,
                               std::vector<std::string> choices) {
  word(names, value, text, std::move(choices));
  options_.back().kind = Option::Kind::optional_word;
}

void OptionList::output_file(const std::string& names, std::string& value, const std::string& text) {
  Option& option = add(names, text, Option::Kind::word);
  option.set = [&value, self = option](const std::string& word) {
    const std::filesystem::path folder = std::filesystem::absolute(word).parent_path();
    check(std::filesystem::is_directory(folder), "--", self.name(), " ", word, ": there is no folder ", folder.string());
    check(!std::filesystem::is_directory(word), "--", self.name(), " ", word, ": expected a file, this is a folder");
    value = word;
  };
}

void OptionList::words(const std::string& names, std::vector<std::string>& values, const std::string& text) {
  add(names, text, Option::Kind::words).set = [&values](const std::string& word) { values.push_back(word); };
}

void OptionList::add(Option option, std::function<void(const std::string&)> set) {
  add(option.names, option.text, option.kind) = option;
  options_.back().set = std::move(set);
}

void OptionList::require() { options_.back().required = true; }

void OptionList::hide_default() { options_.back().fallback.clear(); }

const Option* OptionList::find(const std::string& name) const {
  const auto it = std::find_if(options_.begin(), options_.end(), [&](const Option& o) { return o.name() == name; });
  return it == options_.end() ? nullptr : &*it;
}

void OptionList::set(const std::string& name, const std::string& value) const {
  const Option* option = find(name);
  if (option) return option->set(value);
  std::vector<std::string> known;
  for (const Option& o : options_) known.push_back(o.name());
  const std::string near = nearest(name, known);
  fail("there is no option '", name, "'", near.empty() ? "" : "; did you mean '" + near + "'?");
}

}  // namespace fovea
