// fovea eval MODEL --data ...: measures a model on data with known answers, as its task does. fovea eval NAME ANSWERS TRUTH: scores answers
// that were written before.
#include <fmt/format.h>

#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "apps/fovea/commands.hpp"
#include "apps/fovea/task_options.hpp"
#include "modules/autograd/apply.hpp"
#include "modules/core/threads.hpp"
#include "modules/io/files.hpp"
#include "pipeline/errors.hpp"
#include "pipeline/exit_codes.hpp"
#include "pipeline/sinks/progress.hpp"
#include "pipeline/task.hpp"

namespace fovea {
namespace {

namespace fs = std::filesystem;

constexpr const char* kStrict = "Exit code 3 also where images of folders were skipped: formats that are not read";

struct Settings {
  std::string model, precision = "f32", json;
  std::vector<std::string> data;
  int threads = 0;
  bool strict = false;
  std::map<std::string, std::unique_ptr<Evaluator>> evaluators;  // by task, each with its options
  TaskOptions options;
};

// A recipe stands for the model that was trained from it: model.safetensors or best.safetensors beside it.
std::string model_of(const std::string& name) {
  const fs::path path = name;
  if (path.extension() != ".yaml" && path.extension() != ".yml") return name;
  for (const char* file : {"model.safetensors", "best.safetensors"})
    if (fs::exists(path.parent_path() / file)) return (path.parent_path() / file).string();
  fail(name, ": there is no model.safetensors or best.safetensors beside this recipe; train it first: fovea train ", name, " -o ",
       path.parent_path().empty() ? "." : path.parent_path().string());
}

void write_json(const std::string& file, const nlohmann::ordered_json& json) {
  if (!file.empty()) write_file_atomically(file, json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

// Says what was not measured; gives the exit code.
int tell_left_out(const std::vector<BadFile>& left_out, bool strict) {
  bool quarantined = false;
  for (const BadFile& b : left_out) {
    std::cerr << "fovea: " << (b.fault == Fault::skipped ? "skipped: " : "left out: ") << printable(b.reason) << "\n";
    quarantined = quarantined || strict || b.fault != Fault::skipped;
  }
  return quarantined ? kExitQuarantined : kExitDone;
}

int run_eval(Settings& s) {
  if (s.model.empty() || s.data.empty())
    throw UsageError("eval: expected a model and --data\nRun with --help for more information.");
  if (s.threads > 0) set_threads(s.threads);
  const DType precision = parse_precision(s.precision);
  const Model model = Model::load(model_of(s.model));
  model.release_weights();
  const std::string task = task_of(model).name();
  if (!s.evaluators.count(task))
    throw UsageError(fmt::format("the task of {}, '{}', has nothing to measure by", model.name(), task));
  s.options.set(task, s.model);
  Evaluator& evaluator = *s.evaluators.at(task);
  evaluator.open(model, {s.data.begin(), s.data.end()}, precision);
  std::cout << evaluator.title() << "\n";
  for (std::int64_t i = 0; i < evaluator.batches(); ++i) evaluator.add(i);
  const int code = tell_left_out(evaluator.left_out(), s.strict);  // some pictures turn out to be damaged when they are measured
  std::cout << evaluator.table();
  nlohmann::ordered_json all{{"model", model.name()}, {"precision", name_of(precision)}};
  all.update(evaluator.json());
  write_json(s.json, all);
  for (const auto& [file, text] : evaluator.files()) write_file_atomically(file, text);
  return code;
}

void collect_evaluators(Settings& s) {
  for (const Task* task : TaskRegistry::global().all()) {
    auto evaluator = task->evaluator();
    if (!evaluator) continue;
    evaluator->add_options(s.options.of(task->name()));
    s.evaluators[task->name()] = std::move(evaluator);
  }
}

struct Scoring {
  std::unique_ptr<AnswerScorer> scorer;
  std::string json;
  bool strict = false;
};

int run_scorer(Scoring& s) {
  s.scorer->run();
  const int code = tell_left_out(s.scorer->left_out(), s.strict);
  std::cout << s.scorer->table();
  write_json(s.json, s.scorer->json());
  return code;
}

std::vector<Command> scorer_commands() {
  std::vector<Command> all;
  for (const Task* task : TaskRegistry::global().all())
    for (auto& scorer : task->scorers()) {
      auto s = std::make_shared<Scoring>();
      s->scorer = std::move(scorer);
      Command c{s->scorer->name(), s->scorer->text()};
      s->scorer->add_options(c.options);
      c.options.output_file("--json", s->json, "Write the scores as JSON too");
      c.options.flag("--strict", s->strict, kStrict);
      c.run = [s] { return run_scorer(*s); };
      all.push_back(std::move(c));
    }
  return all;
}

}  // namespace

Command eval_command() {
  auto s = std::make_shared<Settings>();
  collect_evaluators(*s);
  std::string data = "What the model's task measures on";
  for (const auto& [task, evaluator] : s->evaluators) data += ". " + task + ": " + evaluator->data_text();
  Command c{"eval", "Measure a model, or answers that were written, on data with known answers"};
  c.tunes = true;
  c.options.word("model", s->model, "Zoo name, .safetensors file, or the recipe beside one");
  c.options.words("--data", s->data, data);
  c.options.word("--precision", s->precision, "f32, bf16 or auto", {"f32", "bf16", "auto"});
  c.options.integer("--threads", s->threads, 0, 1024, "0: all");
  c.options.output_file("--json", s->json, "Write the table as JSON too");
  c.options.flag("--strict", s->strict, kStrict);
  s->options.offer(c.options);
  c.run = [s] { return run_eval(*s); };
  c.subcommands = scorer_commands();
  return c;
}

}  // namespace fovea
