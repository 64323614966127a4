// fovea train RECIPE [key=value ...] -o OUT
#include <iostream>

#include "apps/fovea/commands.hpp"
#include "apps/fovea/train_progress.hpp"
#include "pipeline/exit_codes.hpp"
#include "pipeline/interrupt.hpp"
#include "pipeline/train_run.hpp"

namespace fovea {
namespace {

struct Settings {
  std::string recipe_file, out = "run", data_root = ".";
  std::vector<std::string> overrides;
  bool resume = false, overwrite = false, quiet = false;
  int threads = 0;
};

constexpr const char* kExamples = R"(Examples:
  fovea train recipe.yaml -o run
  fovea train recipe.yaml -o run --resume                        # goes on bit for bit, on the same number of threads
  fovea train recipe.yaml -o run --resume train.epochs=60        # ... for longer
  fovea train recipe.yaml train.optimizer.lr=1e-4 -o other       # any key of the recipe; `fovea list training` says which there are
A folder that holds a training is only touched with --resume or --overwrite. --resume refuses what would be another training, because the recipe, the
data (names or contents) or fovea changed; how often is logged, how many threads work and how long it goes on may change.
Exit codes: 0 done, 64 wrong usage, 75 stopped or the folder is busy, go on with --resume; 1 anything else, such as a training that diverged.)";

int run_train(const Settings& s) {
  TrainRun run{s.data_root, s.out, s.resume ? Start::resume : s.overwrite ? Start::overwrite : Start::fresh};
  if (!s.quiet) run.progress = print_progress;
  run.say = [&](const std::string& line) {
    if (!s.quiet) std::cerr << line << "\n";
  };
  run.warn = [](const std::string& line) { std::cerr << "fovea: " << line << "\n"; };
  const Interrupt interrupt;
  Yaml recipe = read_recipe(s.recipe_file, s.overrides);
  if (s.threads > 0) recipe.set("train.threads", std::to_string(s.threads));
  const bool finished = train(std::move(recipe), run, Interrupt::flag());
  if (!finished) std::cerr << "\nstopped; go on with --resume -o " << s.out << "\n";
  return finished ? kExitDone : kExitTryAgain;
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
  command->footer(kExamples);
  command->add_flag("--resume", settings->resume, "Go on from the folder's last checkpoint, bit for bit");
  command->add_flag("--overwrite", settings->overwrite, "Remove the training that is in the folder and begin again")
      ->excludes("--resume");
  command->add_option("--threads", settings->threads, "Processors to use, instead of the recipe's train.threads")
      ->check(CLI::Range(1, 4096));
  command->add_flag("--quiet", settings->quiet, "No progress");
  command->callback([settings, &run] { run = [settings] { return run_train(*settings); }; });
}

}  // namespace fovea
