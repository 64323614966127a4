// The options of several tasks as those of one command: which task they are for is known only when the model is.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/options.hpp"

namespace fovea {

class TaskOptions {
 public:
  TaskOptions() = default;
  TaskOptions(const TaskOptions&) = delete;
  TaskOptions& operator=(const TaskOptions&) = delete;

  // The list of a task, and whether there is one already. To be filled before offer().
  OptionList& of(const std::string& task) { return options_[task]; }
  bool has(const std::string& task) const { return options_.count(task) > 0; }
  std::vector<std::string> tasks() const;

  // Adds every option of every task once to a command's; this outlives those.
  void offer(OptionList& options);
  // Sets what was given, in the order of the command line. UsageError where `model`, which is for this task, knows no such option: it says whose it
  // is.
  void set(const std::string& task, const std::string& model) const;

 private:
  std::map<std::string, OptionList> options_;
  std::vector<std::pair<std::string, std::string>> given_;  // name and value
};

}  // namespace fovea
