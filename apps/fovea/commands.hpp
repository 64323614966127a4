// The commands of `fovea`, one file each. Each adds its subcommand; `run` is set when the user chose it and returns the exit code.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace fovea {

using Run = std::function<int()>;

void add_task_verbs(CLI::App& app, Run& run);  // one for each task that runs over files
void add_train(CLI::App& app, Run& run);
void add_eval(CLI::App& app, Run& run);
void add_export(CLI::App& app, Run& run);
void add_import(CLI::App& app, Run& run);
void add_explain(CLI::App& app, Run& run);
void add_list(CLI::App& app, Run& run);
void add_study(CLI::App& app, Run& run);
void add_describe(CLI::App& app, Run& run);
void add_plan(CLI::App& app, Run& run);

// The words of the command line with `predict` replaced by the verb of the model's task. UsageError where that cannot be known.
std::vector<std::string> resolve_predict(std::vector<std::string> words);

}  // namespace fovea
