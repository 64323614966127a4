#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <iostream>

#include "apps/fovea/commands.hpp"
#include "apps/fovea/evaluate.hpp"
#include "modules/autograd/apply.hpp"
#include "modules/core/threads.hpp"
#include "modules/io/files.hpp"
#include "modules/nn/losses.hpp"
#include "modules/train/trainer.hpp"

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

// What a recipe's `train:` says about super-resolution.
struct UpscaleTask {
  std::vector<fs::path> data, sets;
  PatchSource::Options patches;
};

UpscaleTask read_task(const Yaml& train, const TrainOptions& options, int scale, const fs::path& root) {
  UpscaleTask task;
  for (const Yaml& item : train.at("data").items()) task.data.push_back(root / item.scalar());
  if (train.has("validate"))
    for (const Yaml& item : train.at("validate").items()) task.sets.push_back(root / item.scalar());
  Args a = train.args();
  task.patches = {scale, a.get("patch", 48, "side in low-resolution pixels"), a.get("batch", 16, "patches a step"), options.seed};
  check(!task.data.empty() && task.patches.patch > 0 && task.patches.batch > 0, train.where(),
        ": expected folders under data, patch and batch > 0");
  return task;
}

using PixelLoss = Var (*)(const Var& output, const Var& target);

PixelLoss pixel_loss(const std::string& name, const std::string& where) {
  if (name == "l1") return [](const Var& y, const Var& target) { return l1_loss(y, target); };
  if (name == "mse") return [](const Var& y, const Var& target) { return mse_loss(y, target); };
  if (name == "charbonnier") return [](const Var& y, const Var& target) { return charbonnier_loss(y, target); };
  fail(where, ": loss: expected l1, mse or charbonnier, got '", name, "'");
}

Trainer::Loss loss_called(const std::string& name, const std::string& where) {
  return [measure = pixel_loss(name, where)](const Model& model, const Batch& batch) {
    return measure(model.forward(Var(batch.input)), Var(batch.target));
  };
}

// Always in f32, whatever the training computes in: scores of different runs compare.
Validation validate(const Model& model, const std::vector<EvalSet>& sets) {
  Validation v;
  for (const EvalSet& set : sets) {
    const EvalTable table = evaluate(model, set, {.tile = 0});
    v.details["psnr_y"][set.name] = table.mean().psnr;
    v.details["ssim_y"][set.name] = table.mean().ssim;
    if (&set == &sets.front()) v.score = table.mean().psnr;
  }
  return v;
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

int run_train(const Settings& s) {
  const Yaml recipe = read_recipe(s);
  const Yaml& train = recipe.at("train");
  const std::string task_name = train.at("task").scalar();
  check(task_name == "upscale", train.at("task").where(), ": expected the task 'upscale', got '", task_name, "'");
  const TrainOptions options = read_train_options(train, {"data", "validate", "patch", "batch"});
  const Trainer::Loss loss = loss_called(options.loss, train.where());
  std::string warning;
  const DType precision = parse_precision(options.precision, &warning);
  if (!warning.empty()) std::cerr << "fovea: " << warning << "\n";

  const Model model = Model::from_recipe(recipe.str(), options.seed);
  const int scale = model.upscale().scale;
  const UpscaleTask task = read_task(train, options, scale, s.data_root);
  int too_small = 0;
  std::vector<ImagePair> pairs = load_pairs(task.data, scale, task.patches.patch, &too_small);
  std::vector<EvalSet> sets;
  for (const fs::path& folder : task.sets) sets.push_back(load_eval_set(folder, scale));
  if (!s.quiet)
    std::cerr << fmt::format(
        "{}: {} parameters, {:.1f} k multiply-adds an input pixel; {} images ({} too small left out); {} on {} threads\n",
        model.name(), model.params()->count(), static_cast<double>(model.multiply_adds({1, 3, 64, 64})) / 4096e3, pairs.size(),
        too_small, name_of(precision), options.threads > 0 ? options.threads : cpu_budget());
  const PatchSource source(std::move(pairs), task.patches);
  Trainer trainer(model, options, s.out);
  if (s.resume) trainer.resume();
  std::signal(SIGINT, request_stop);
  std::signal(SIGTERM, request_stop);
  const bool finished = trainer.run(
      source, loss, [&](const Model& m) { return validate(m, sets); },
      [&](const Trainer::Progress& p) {
        if (!s.quiet) print_progress(p);
      },
      stop_requested);
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
