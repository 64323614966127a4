// The verbs of the tasks, and `fovea predict`, which does what a model is for.
#include <algorithm>

#include "apps/fovea/verb.hpp"
#include "datasets/bad_file.hpp"
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

}  // namespace

std::vector<Command> task_commands() {
  std::vector<Command> all;
  for (const Task* task : TaskRegistry::global().all())
    if (auto operation = task->operation())
      all.push_back(verb_command({task->verb(), task->text(), task->examples(), std::move(operation)}));
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
