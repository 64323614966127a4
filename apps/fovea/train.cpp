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

Command train_command() {
  auto s = std::make_shared<Settings>();
  Command c{"train", "Train or fine-tune a model from a recipe"};
  c.options.word("recipe", s->recipe_file, "YAML recipe");
  c.options.require();
  c.options.words("overrides", s->overrides, "key=value, for example train.steps=20000 train.optimizer.lr=0.001");
  c.options.word("-o,--out", s->out, "Folder for checkpoints, log and curve");
  c.options.word("--data-root", s->data_root, "Folder that the recipe's data and validate are relative to");
  c.options.flag("--resume", s->resume, "Go on from the folder's last checkpoint, bit for bit");
  c.options.flag("--quiet", s->quiet, "No progress");
  c.run = [s] { return run_train(*s); };
  return c;
}

}  // namespace fovea
