#include "apps/fovea/option_list.hpp"

#include <algorithm>

namespace fovea {
namespace {

// CLI11 tells its users by its own type of error.
void set(const Option& option, const std::string& word) {
  try {
    option.set(word);
  } catch (const Error& e) { throw CLI::ValidationError(e.what()); }
}

const char* type_name(Option::Kind kind) {
  switch (kind) {
    case Option::Kind::integer: return "INT";
    case Option::Kind::number: return "FLOAT";
    default: return "TEXT";
  }
}

void add_optional_word(CLI::App& command, const Option& option, std::vector<std::string>* inputs) {
  const auto take = [&option, inputs](const std::string& word) {
    const bool known = std::find(option.choices.begin(), option.choices.end(), word) != option.choices.end();
    set(option, known ? word : option.choices.front());
    if (!known && !word.empty() && inputs) inputs->push_back(word);
  };
  std::string choices;
  for (const std::string& c : option.choices) choices += (choices.empty() ? "" : "|") + c;
  command.add_option_function<std::string>(option.names, take, option.text)->type_name("[" + choices + "]")->expected(0, 1);
}

void add_words(CLI::App& command, const Option& option) {
  const auto take = [&option](const std::vector<std::string>& words) {
    for (const std::string& word : words) set(option, word);
  };
  auto* made = command.add_option_function<std::vector<std::string>>(option.names, take, option.text);
  if (option.required) made->required();
}

}  // namespace

void add_options(CLI::App& command, const OptionList& options, std::vector<std::string>* inputs) {
  for (const Option& option : options.all()) {
    if (option.kind == Option::Kind::flag) {
      command.add_flag_callback(
          option.names, [&option] { set(option, "true"); }, option.text);
    } else if (option.kind == Option::Kind::optional_word) {
      add_optional_word(command, option, inputs);
    } else if (option.kind == Option::Kind::words) {
      add_words(command, option);
    } else {
      auto* made = command.add_option_function<std::string>(
          option.names, [&option](const std::string& word) { set(option, word); }, option.text);
      made->type_name(type_name(option.kind));
      if (!option.fallback.empty()) made->default_str(option.fallback);
      if (!option.choices.empty()) made->check(CLI::IsMember(option.choices));
      if (option.required) made->required();
    }
  }
}

}  // namespace fovea
