// The commands of `fovea`, one file each, as data: names, options, what they do. command_line.cpp makes a program of them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "pipeline/options.hpp"

namespace fovea {

struct Command {
  std::string name, text;
  std::string footer = {};        // of its help
  OptionList options = {};        // they set variables that `run` keeps alive
  std::function<int()> run = {};  // gives the exit code; UsageError where options do not go together
  std::vector<std::string>* inputs =
      nullptr;         // where a word goes that follows an option of the kind optional_word and is no choice of it
  bool tunes = false;  // it compiles networks: has --no-tune
  std::vector<Command> subcommands = {};  // any of which stands for the command
};

std::vector<Command> task_commands();  // one for each task that runs over files, their further ones, and `predict`
Command camera_command();
Command data_command();
Command describe_command();
Command eval_command();
Command explain_command();
Command export_command();
Command import_command();
Command list_command();
Command plan_command();
Command study_command();
Command train_command();

// The words of the command line with `predict` replaced by the verb of the model's task. UsageError where that cannot be known.
std::vector<std::string> resolve_predict(std::vector<std::string> words);

// Runs the command that the words choose, prints help and what is wrong with them; the exit code.
int run_command_line(std::vector<std::string> words);

}  // namespace fovea
