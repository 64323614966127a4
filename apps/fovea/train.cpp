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

Command train_command() {
  auto s = std::make_shared<Settings>();
  Command c{"train", "Train or fine-tune a model from a recipe", kExamples};
  c.options.word("recipe", s->recipe_file, "YAML recipe");
  c.options.require();
  c.options.words("overrides", s->overrides, "key=value, for example train.steps=20000 train.optimizer.lr=0.001");
  c.options.word("-o,--out", s->out, "Folder for checkpoints, log and curve");
  c.options.word("--data-root", s->data_root, "Folder that the recipe's data and validate are relative to");
  c.options.flag("--resume", s->resume, "Go on from the folder's last checkpoint, bit for bit");
  c.options.flag("--overwrite", s->overwrite, "Remove the training that is in the folder and begin again");
  c.options.integer("--threads", s->threads, 1, 4096, "Processors to use, instead of the recipe's train.threads");
  c.options.hide_default();
  c.options.flag("--quiet", s->quiet, "No progress");
  c.run = [s] {
    if (s->resume && s->overwrite) throw UsageError("--resume goes on and --overwrite begins again: expected one of them");
    return run_train(*s);
  };
  return c;
}

}  // namespace fovea
