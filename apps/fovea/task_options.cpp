#include "apps/fovea/task_options.hpp"

#include "pipeline/errors.hpp"

namespace fovea {

std::vector<std::string> TaskOptions::tasks() const {
  std::vector<std::string> names;
  for (const auto& [task, options] : options_) names.push_back(task);
  return names;
}

void TaskOptions::offer(OptionList& offered) {
  OptionList once;
  for (const auto& [task, options] : options_)
    for (const Option& option : options.all()) {
      if (once.find(option.name())) continue;
      once.add(option, option.set);
      offered.add(option, [this, name = option.name()](const std::string& value) { given_.emplace_back(name, value); });
    }
}

void TaskOptions::set(const std::string& task, const std::string& model) const try {
  const OptionList& own = options_.at(task);
  for (const auto& [name, value] : given_) {
    if (own.find(name)) {
      own.set(name, value);
      continue;
    }
    std::string others;
    for (const auto& [other, options] : options_)
      if (options.find(name)) others += (others.empty() ? "" : " and ") + other;
    fail("--", name, " is for the task ", others, ", and ", model, " is for ", task);
  }
} catch (const Error& e) { throw UsageError(e.what()); }

}  // namespace fovea
