#include "pipeline/task.hpp"

#include "modules/nn/args.hpp"

namespace fovea {
namespace {

TaskRegistry& the_registry() {
  static TaskRegistry& registry = *[] {
    auto* r = new TaskRegistry;
    register_all_tasks(*r);
    return r;
  }();
  return registry;
}

}  // namespace

TrainJob Task::training(const Yaml& recipe, const Model&, const std::filesystem::path&, TrainOptions&) const {
  fail(recipe.where(), ": the task '", name(), "' cannot be trained");
}

const TaskRegistry& TaskRegistry::global() { return the_registry(); }

void TaskRegistry::extend(void (*register_task)(TaskRegistry&)) { register_task(the_registry()); }

void TaskRegistry::add(std::unique_ptr<Task> task) {
  const std::string name = task->name();
  check(tasks_.emplace(name, std::move(task)).second, "tasks: '", name, "' is registered twice");
}

const Task* TaskRegistry::find(const std::string& name) const {
  const auto it = tasks_.find(name);
  return it == tasks_.end() ? nullptr : it->second.get();
}

const Task& TaskRegistry::at(const std::string& name) const {
  if (const Task* task = find(name)) return *task;
  std::vector<std::string> known;
  std::string all;
  for (const auto& [n, task] : tasks_) known.push_back(n), all += (all.empty() ? "" : ", ") + n;
  const std::string near = nearest(name, known);
  fail("no task is called '", name, "'", near.empty() ? "" : "; did you mean '" + near + "'?", "; there are ", all);
}

std::vector<const Task*> TaskRegistry::all() const {
  std::vector<const Task*> out;
  for (const auto& [name, task] : tasks_) out.push_back(task.get());
  return out;
}

const Task& task_of(const Model& model) { return TaskRegistry::global().at(model.info().task); }

}  // namespace fovea
