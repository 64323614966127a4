#include "pipeline/tasks/upscale/training.hpp"

#include <fmt/format.h>

#include "modules/core/glob.hpp"
#include "modules/nn/losses.hpp"
#include "pipeline/tasks/upscale/evaluator.hpp"
#include "pipeline/training_data.hpp"

namespace fovea {
namespace {

namespace fs = std::filesystem;

// What a recipe's `train:` says about super-resolution.
struct Keys {
  std::vector<fs::path> data, sets;
  Glob unwanted;
  PatchSource::Options patches;
};

PatchSource::Options read_patches(Args& a) {
  PatchSource::Options o;
  a.elsewhere("data", "folders of photographs; required");
  a.elsewhere("validate", "folders with x2/HR, x2/LR ... inside, or of photographs; the first one's PSNR selects the best");
  o.patch = a.get("patch", o.patch, "side in low-resolution pixels");
  o.batch = a.get("batch", o.batch, "patches a step, mirrored and turned at random");
  a.elsewhere("degrade", "what happens to the small patches; without it they are shrunk bicubically: see train.degrade");
  return o;
}

// Of the files' names.
Glob read_leave_out(Args& a) {
  const auto patterns =
      a.list("leave_out", std::vector<std::string>{}, "names of photographs of `data` not to train on, with * and ?");
  const std::string one = fmt::format("{}", fmt::join(patterns, ","));
  return Glob(patterns.size() > 1 ? "{" + one + "}" : one, Glob::Kind::files);
}

Keys read_keys(const Yaml& train, const TrainOptions& options, int scale, const Preprocess& preprocess, const fs::path& root) {
  Keys task;
  task.data = data_paths(train.at("data"), root);
  if (train.has("validate")) task.sets = data_paths(train.at("validate"), root);
  Args a = train.args();
  task.unwanted = read_leave_out(a);
  task.patches = read_patches(a);
  task.patches.scale = scale;
  task.patches.seed = options.seed;
  task.patches.preprocess = preprocess;
  if (train.has("degrade")) task.patches.degrade = read_degrade(train.at("degrade"));
  check(task.patches.patch > 0 && task.patches.batch > 0, train.where(), ": expected patch and batch > 0");
  return task;
}

using PixelLoss = Var (*)(const Var& output, const Var& target);

PixelLoss pixel_loss(const std::string& name, const std::string& where) {
  if (name == "l1") return [](const Var& y, const Var& target) { return l1_loss(y, target); };
  if (name == "mse") return [](const Var& y, const Var& target) { return mse_loss(y, target); };
  if (name == "charbonnier") return [](const Var& y, const Var& target) { return charbonnier_loss(y, target); };
  fail(where, ": loss: expected l1, mse or charbonnier, got '", name, "'");
}

TrainJob::Loss loss_called(const std::string& name, const std::string& where) {
  return [measure = pixel_loss(name, where)](const NamedVars& outputs, const Batch& batch) {
    return measure(outputs.at("image"), Var(batch.targets.at("image")));
  };
}

// Always in f32, whatever the training computes in: scores of different runs compare.
Validation validate(const Model& model, const std::vector<EvalSet>& sets) {
  Validation v;
  for (const EvalSet& set : sets) {
    const EvalTable table = measure_upscaling(model, set, {.tile = 0});
    v.details["psnr_y"][set.name] = table.mean().psnr;
    v.details["ssim_y"][set.name] = table.mean().ssim;
    if (&set == &sets.front()) v.score = table.mean().psnr;
  }
  return v;
}

}  // namespace

std::vector<KeyGroup> upscale_keys() {
  return {keys_read("train",
                    [](Args& a) {
                      read_leave_out(a);
                      read_patches(a);
                    }),
          keys_read("train.degrade", [](Args& a) { read_degrade(a); })};
}

std::vector<TrainingFile> upscale_files(const Yaml& recipe, const fs::path& root) {
  const Yaml& train = recipe.at("train");
  Args a = train.args();
  const Glob unwanted = read_leave_out(a);
  std::vector<TrainingFile> files;
  for (const std::string key : {"data", "validate"}) {
    if (!train.has(key)) continue;
    for (const fs::path& folder : data_paths(train.at(key), root))
      for (const fs::path& file : images_below(folder).files)
        if (key != "data" || !unwanted.matches(file.filename().string())) files.push_back({file});
  }
  return files;
}

TrainJob upscale_training(const Yaml& recipe, const Model& model, const fs::path& root, TrainOptions& options) {
  const Yaml& train = recipe.at("train");
  options = read_train_options(train, names_of(upscale_keys()));
  const int scale = upscale_facts(model).scale;
  const Keys task = read_keys(train, options, scale, upscale_preprocess(model), root);
  PairsLeftOut left_out;
  std::vector<ImagePair> pairs = load_pairs(task.data, scale, task.patches.patch, &left_out, task.unwanted);
  std::vector<EvalSet> sets;
  std::vector<BadFile> validation_left_out;
  for (const fs::path& folder : task.sets) {
    sets.push_back(load_eval_set(folder, scale));
    validation_left_out = joined(std::move(validation_left_out), sets.back().left_out);
  }
  TrainJob job;
  report_bad(left_out.bad, "training", job);
  report_bad(validation_left_out, "validation", job);
  job.summary = fmt::format("{:.1f} k multiply-adds an input pixel; {} images ({} too small left out)",
                            static_cast<double>(model.multiply_adds({1, 3, 64, 64})) / 4096e3, pairs.size(), left_out.too_small);
  job.source = std::make_unique<PatchSource>(std::move(pairs), task.patches);
  job.loss = loss_called(options.loss, train.where());
  job.validate = [sets](const Model& m) { return validate(m, sets); };
  return job;
}

}  // namespace fovea
