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
  bool resume = false, quiet = false;
};

int run_train(const Settings& s) {
  TrainRun run{s.data_root, s.out, s.resume};
  if (!s.quiet) run.progress = print_progress;
  run.say = [&](const std::string& line) {
    if (!s.quiet) std::cerr << line << "\n";
  };
  run.warn = [](const std::string& line) { std::cerr << "fovea: " << line << "\n"; };
  const Interrupt interrupt;
  const bool finished = train(read_recipe(s.recipe_file, s.overrides), run, Interrupt::flag());
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
  command->add_flag("--resume", settings->resume, "Go on from the folder's last checkpoint, bit for bit");
  command->add_flag("--quiet", settings->quiet, "No progress");
  command->callback([settings, &run] { run = [settings] { return run_train(*settings); }; });
}

}  // namespace fovea
