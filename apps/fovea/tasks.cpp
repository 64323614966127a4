// The verbs of the tasks and their further commands, and `fovea predict`, which does what a model is for.
#include <algorithm>
#include <iostream>

#include "apps/fovea/verb.hpp"
#include "datasets/bad_file.hpp"
#include "modules/core/threads.hpp"
#include "pipeline/exit_codes.hpp"
#include "pipeline/interrupt.hpp"
#include "pipeline/sinks/ledger_json.hpp"
#include "pipeline/task.hpp"

namespace fovea {
namespace {

// The value of --model or -m among the words, or "".
std::string model_among(const std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if ((words[i] == "--model" || words[i] == "-m") && i + 1 < words.size()) return words[i + 1];
    if (words[i].starts_with("--model=")) return words[i].substr(8);
    if (words[i].starts_with("-m") && words[i].size() > 2) return words[i].substr(2);
  }
  return {};
}

// What the command line says of one run of a further command.
struct Further {
  std::unique_ptr<TaskCommand> command;
  int threads = 0;
  bool strict = false, quiet = false, json = false;
};

int run_further(Further& f) {
  if (f.threads > 0) set_threads(f.threads);
  const Interrupt interrupt;
  const auto progress = make_progress(f.quiet ? ProgressKind::quiet : f.json ? ProgressKind::json : ProgressKind::automatic);
  if (!f.command->run(*progress, Interrupt::flag())) {
    std::cerr << "fovea: " << f.command->name() << ": stopped; no result was written\n";
    return kExitTryAgain;
  }
  int code = kExitDone;
  for (const BadFile& b : f.command->left_out()) {
    std::cerr << "fovea: " << (b.fault == Fault::skipped ? "skipped: " : "left out: ") << printable(b.file.string()) << ": "
              << printable(b.reason) << "\n";
    if (f.strict || b.fault != Fault::skipped) code = kExitQuarantined;
  }
  if (f.json) {
    nlohmann::ordered_json summary{{"event", "summary"}};
    summary.update(f.command->json());
    std::cout << dump(summary) << "\n";
  } else if (!f.quiet) {
    std::cout << f.command->table();
  }
  return code;
}

Command further_command(std::unique_ptr<TaskCommand> command) {
  auto f = std::make_shared<Further>();
  f->command = std::move(command);
  Command c{f->command->name(), f->command->text(), f->command->examples()};
  c.tunes = true;
  f->command->add_options(c.options);
  c.options.integer("-t,--threads", f->threads, 1, 1024, "Processors to use (default: all that this process may use)");
  c.options.hide_default();
  c.options.flag("--strict", f->strict, "Exit code 3 also where images of folders were skipped: formats that are not read");
  c.options.flag("-q,--quiet", f->quiet, "Say nothing but errors");
  c.options.flag("--json", f->json, "One JSON object an event on standard output, a summary last");
  c.run = [f] { return run_further(*f); };
  return c;
}

}  // namespace

std::vector<Command> task_commands() {
  std::vector<Command> all;
  for (const Task* task : TaskRegistry::global().all()) {
    if (auto operation = task->operation())
      all.push_back(verb_command({task->verb(), task->text(), task->examples(), std::move(operation)}));
    for (auto& command : task->commands()) all.push_back(further_command(std::move(command)));
  }
  all.push_back(
      {"predict", "Do what a model is for: its task's command, with that command's options",
       "fovea predict INPUT... --model M [-o OUT] is the command of M's task; its options are in that command's --help.\n"
       "Example: fovea predict photos/ --model photo-cbam --top 3"});
  return all;
}

std::vector<std::string> resolve_predict(std::vector<std::string> words) {
  const bool help =
      std::find_if(words.begin(), words.end(), [](const auto& w) { return w == "--help" || w == "-h"; }) != words.end();
  if (words.empty() || words[0] != "predict" || (help && model_among(words).empty())) return words;
  try {
    const std::string name = model_among(words);
    check(!name.empty(), "predict: expected --model NAME\nRun with --help for more information.");
    const Task& task = task_of(Model::load(name));
    check(task.operation() != nullptr, "predict: the task of ", name, ", '", task.name(), "', runs over no files");
    words[0] = task.verb();
  } catch (const Error& e) {
    if (is_passing(e)) throw;
    throw UsageError(e.what());
  }
  return words;
}

}  // namespace fovea
