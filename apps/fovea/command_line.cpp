// The commands as a command line. The only file that holds CLI11, which takes the compiler longer than a command of ours.
#include <CLI/CLI.hpp>
#include <algorithm>

#include "apps/fovea/commands.hpp"
#include "apps/fovea/license_line.hpp"
#include "datasets/image.hpp"
#include "modules/core/budget.hpp"
#include "modules/license.hpp"
#include "modules/plan/plan.hpp"
#include "pipeline/errors.hpp"
#include "pipeline/exit_codes.hpp"

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

std::string listed(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : "|") + word;
  return all;
}

CLI::Option* add_flag(CLI::App& app, const Option& option) {
  return app.add_flag_callback(
      option.names, [&option] { set(option, "true"); }, option.text);
}

CLI::Option* add_optional_word(CLI::App& app, const Option& option, std::vector<std::string>* inputs) {
  const auto take = [&option, inputs](const std::string& word) {
    const bool known = std::find(option.choices.begin(), option.choices.end(), word) != option.choices.end();
    set(option, known ? word : option.choices.front());
    if (!known && !word.empty() && inputs) inputs->push_back(word);
  };
  return app.add_option_function<std::string>(option.names, take, option.text)
      ->type_name("[" + listed(option.choices) + "]")
      ->expected(0, 1);
}

CLI::Option* add_words(CLI::App& app, const Option& option) {
  const auto take = [&option](const std::vector<std::string>& words) {
    for (const std::string& word : words) set(option, word);
  };
  return app.add_option_function<std::vector<std::string>>(option.names, take, option.text);
}

CLI::Option* add_word(CLI::App& app, const Option& option) {
  auto* made = app.add_option_function<std::string>(
      option.names, [&option](const std::string& word) { set(option, word); }, option.text);
  made->type_name(option.choices.empty() ? type_name(option.kind) : "{" + listed(option.choices) + "}");
  if (!option.fallback.empty()) made->default_str(option.fallback);
  return made;
}

CLI::Option* add_option(CLI::App& app, const Option& option, std::vector<std::string>* inputs) {
  switch (option.kind) {
    case Option::Kind::flag: return add_flag(app, option);
    case Option::Kind::optional_word: return add_optional_word(app, option, inputs);
    case Option::Kind::words: return add_words(app, option);
    default: return add_word(app, option);
  }
}

void add_tuning(CLI::App& app) {
  app.add_flag_callback(
         "--no-tune", [] { plan::set_tuning(false); },
         "Do not measure which way to compute is the fastest here: the same bits for every number of threads")
      ->envname("FOVEA_NO_TUNE");
}

// For every command that builds a network, which is all of them.
void add_memory(CLI::App& app) {
  app.add_option_function<std::uint64_t>(
         "--max-memory", set_memory_limit,
         "What a network may take, as in 8G: parameters and values. Unless given: 4G for what a recipe asks "
         "by itself, all that there is for pictures and batches of your own")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::PositiveNumber)
      ->type_name("SIZE")
      ->envname("FOVEA_MAX_MEMORY");
}

// For every command that loads a model. Whose terms they are is said unless the command was asked to be quiet.
std::function<void()> add_license_policy(CLI::App& app) {
  auto policy = std::make_shared<LicensePolicy>(LicensePolicy::any);
  const auto take = [policy](const std::string& word) {
    try {
      *policy = parse_license_policy(word);
    } catch (const Error& e) { throw CLI::ValidationError(e.what()); }
  };
  app.add_option_function<std::string>(
         "--license-policy", take,
         "Which models may be loaded, by the terms in their files (fovea describe shows them): any; no-research, only where they "
         "are known and not for research or non-commercial use alone; open, only under licences that are known to be open, as "
         "Apache-2.0, MIT or CC-BY-4.0")
      ->type_name("{any|no-research|open}")
      ->default_str("any")
      ->envname("FOVEA_LICENSE_POLICY");
  return [&app, policy] {
    const CLI::Option* quiet = app.get_option_no_throw("--quiet");
    set_license_rules({*policy, quiet && quiet->count() > 0 ? nullptr : print_license_line});
  };
}

// `chosen` becomes what the command does, where the user chose it. `command` outlives the program's command line.
void add_command(CLI::App& program, const Command& command, std::function<int()>& chosen) {
  CLI::App& app = *program.add_subcommand(command.name, command.text);
  app.footer(command.footer);
  for (const Option& option : command.options.all())
    if (auto* made = add_option(app, option, command.inputs); option.required) made->required();
  if (command.tunes) add_tuning(app);
  add_memory(app);
  const std::function<void()> apply_license_policy = add_license_policy(app);
  for (const Command& sub : command.subcommands) add_command(app, sub, chosen);
  // This one runs after that of a subcommand, which has its own to do.
  app.callback([&app, &command, &chosen, apply_license_policy] {
    if (!app.get_subcommands().empty()) return;
    apply_license_policy();
    chosen = command.run;
  });
}

std::string version_text() {
  const std::string missing = missing_formats();
  return "fovea " FOVEA_VERSION "\nreads " + readable_formats() + (missing.empty() ? "" : "\nbuilt without " + missing);
}

std::vector<Command> all_commands() {
  std::vector<Command> all = task_commands();
  for (Command (*make)() : {camera_command, train_command, eval_command, export_command, import_command, explain_command,
                            list_command, study_command, describe_command, plan_command, data_command})
    all.push_back(make());
  return all;
}

}  // namespace

int run_command_line(std::vector<std::string> words) {
  CLI::App program{"Vision models that show where they look.", "fovea"};
  program.set_version_flag("--version", version_text());
  program.require_subcommand(1);
  program.footer("`fovea COMMAND --help` explains a command.");
  const std::vector<Command> commands = all_commands();
  std::function<int()> chosen;
  for (const Command& command : commands) add_command(program, command, chosen);
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the end
  try {
    program.parse(std::move(words));
  } catch (const CLI::ParseError& e) { return program.exit(e) == 0 ? kExitDone : kExitUsage; }
  return chosen();
}

}  // namespace fovea
