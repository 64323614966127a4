#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <opencv2/core/utility.hpp>

#include "apps/fovea/commands.hpp"
#include "apps/fovea/train_job.hpp"
#include "modules/autograd/apply.hpp"
#include "modules/core/threads.hpp"
#include "modules/io/files.hpp"

namespace fovea {
namespace {

namespace fs = std::filesystem;

std::atomic<bool> stop_requested{false};

void request_stop(int) { stop_requested = true; }

struct Settings {
  std::string recipe_file, out = "run", data_root = ".";
  std::vector<std::string> overrides;
  bool resume = false, quiet = false;
};

Yaml read_recipe(const Settings& s) {
  const auto bytes = read_file(s.recipe_file);
  Yaml recipe = Yaml::parse({bytes.begin(), bytes.end()}, s.recipe_file);
  for (const std::string& o : s.overrides) {
    const auto equal = o.find('=');
    check(equal != std::string::npos && equal > 0, "expected key=value, got '", o, "'");
    recipe.set(o.substr(0, equal), o.substr(equal + 1));
  }
  return recipe;
}

// A bar that redraws itself on a terminal, lines elsewhere.
void print_progress(const Trainer::Progress& p) {
  const bool terminal = isatty(STDERR_FILENO);
  if (p.validation) {
    std::cerr << (terminal ? "\r\033[K" : "") << fmt::format("step {}/{}  {}\n", p.step, p.steps, p.validation->details.dump());
    return;
  }
  const double left = p.steps_per_second > 0 ? static_cast<double>(p.steps - p.step) / p.steps_per_second : 0;
  const std::string line = fmt::format("step {}/{}  loss {:.5f}  lr {:.2e}  {:.2f} steps/s  {:.0f} min left", p.step, p.steps,
                                       p.loss, p.lr, p.steps_per_second, left / 60);
  if (!terminal) {
    std::cerr << line << "\n";
    return;
  }
  constexpr int kBar = 24;
  const int full = static_cast<int>(p.step * kBar / std::max<std::int64_t>(1, p.steps));
  std::cerr << "\r\033[K[" << std::string(static_cast<std::size_t>(full), '=')
            << std::string(static_cast<std::size_t>(kBar - full), ' ') << "] " << line << std::flush;
}

std::uint64_t read_seed(const Yaml& train) {
  Args a = train.args();
  return static_cast<std::uint64_t>(a.get("seed", 0, "of everything random"));
}

TrainJob job_of(const Yaml& recipe, const Model& model, const Settings& s, TrainOptions& options) {
  const Yaml& task = recipe.at("train").at("task");
  if (task.scalar() == "upscale") return upscale_job(recipe, model, s.data_root, options);
  if (task.scalar() == "distill") return distill_job(recipe, model, s.data_root, options);
  if (task.scalar() == "classify") return classify_job(recipe, model, s.data_root, options);
  fail(task.where(), ": expected the task upscale, classify or distill, got '", task.scalar(), "'");
}

int run_train(const Settings& s) {
  Yaml recipe = read_recipe(s);
  cv::setNumThreads(1);  // pictures are made by threads of their own, the rest of the processor is the network's
  if (recipe.at("train").at("task").scalar() == "classify") name_classes(recipe, s.data_root);
  const Model model = Model::from_recipe(recipe.str(), read_seed(recipe.at("train")));
  const std::int64_t parameters = model.params()->count();
  TrainOptions options;
  const TrainJob job = job_of(recipe, model, s, options);
  std::string warning;
  const DType precision = parse_precision(options.precision, &warning);
  if (!warning.empty()) std::cerr << "fovea: " << warning << "\n";
  if (!s.quiet)
    std::cerr << fmt::format("{}: {} parameters; {}; {} on {} threads\n", model.name(), parameters, job.summary,
                             name_of(precision), options.threads > 0 ? options.threads : cpu_budget());
  for (const std::string& w : job.warnings) std::cerr << "fovea: " << w << "\n";
  Trainer trainer(model, options, s.out);
  for (const auto& [name, text] : job.files) write_file_atomically(fs::path(s.out) / name, text.data(), text.size());
  if (!s.quiet && !trainer.taken().empty()) std::cerr << trainer.taken() << "\n";
  if (s.resume) trainer.resume();
  std::signal(SIGINT, request_stop);
  std::signal(SIGTERM, request_stop);
  const bool finished = trainer.run(
      *job.source, job.loss, job.validate,
      [&](const Trainer::Progress& p) {
        if (!s.quiet) print_progress(p);
      },
      stop_requested);
  if (!s.quiet && trainer.out_of_patience())
    std::cerr << "ended early: " << options.patience << " validations without a better score\n";
  if (!finished) std::cerr << "\nstopped; go on with --resume -o " << s.out << "\n";
  return finished ? 0 : 75;
}

}  // namespace

void add_train(CLI::App& app, Run& run) {
  auto* command = app.add_subcommand("train", "Train or fine-tune a model from a recipe");
  auto settings = std::make_shared<Settings>();
  command->add_option("recipe", settings->recipe_file, "YAML recipe")->required();
  command->add_option("overrides", settings->overrides, "key=value, for example train.steps=20000 train.optimizer.lr=0.001");
  command->add_option("-o,--out", settings->out, "Folder for checkpoints, log and curve")->capture_default_str();
  command->add_option("--data-root", settings->data_root, "Folder that the recipe's data and validate are relative to")
      ->capture_default_str();
  command->add_flag("--resume", settings->resume, "Go on from the folder's last checkpoint, bit for bit");
  command->add_flag("--quiet", settings->quiet, "No progress");
  command->callback([settings, &run] { run = [settings] { return run_train(*settings); }; });
}

}  // namespace fovea
