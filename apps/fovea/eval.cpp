#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/fovea/commands.hpp"
#include "apps/fovea/evaluate.hpp"
#include "modules/autograd/apply.hpp"
#include "modules/core/threads.hpp"

namespace fovea {
namespace {

namespace fs = std::filesystem;

struct Settings {
  std::string model, precision = "f32", json, confusion, teacher;
  std::vector<std::string> data;
  int threads = 0, batch = 16;
  bool self_ensemble = false;
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

nlohmann::json to_json(const EvalRow& r) {
  return {{"image", r.image},
          {"psnr_y", r.psnr},
          {"ssim_y", r.ssim},
          {"bicubic_psnr_y", r.bicubic_psnr},
          {"bicubic_ssim_y", r.bicubic_ssim}};
}

void print(const EvalRow& r) {
  std::cout << fmt::format("{:<28} {:>8.2f} {:>8.4f} {:>9.2f} {:>9.4f}\n", r.image, r.psnr, r.ssim, r.bicubic_psnr,
                           r.bicubic_ssim);
}

int run_eval(const Settings& s) {
  if (s.threads > 0) set_threads(s.threads);
  const DType precision = parse_precision(s.precision);
  const Model model = Model::load(model_of(s.model));
  model.release_weights();
  if (model.classifies()) return evaluate_classifier(model, {s.data, s.teacher, precision, s.batch, s.json, s.confusion});
  check(s.teacher.empty(), "--teacher is for classifiers, and ", model.name(), " is none");
  const int scale = model.upscale().scale;
  nlohmann::json all{{"model", model.name()},
                     {"scale", scale},
                     {"precision", std::string(name_of(precision))},
                     {"self_ensemble", s.self_ensemble}};
  const UpscaleOptions options{.tile = 0, .self_ensemble = s.self_ensemble, .precision = precision};
  std::cout << fmt::format("{}: x{}, {} parameters, {}{}\n", model.name(), scale, model.params()->count(), name_of(precision),
                           s.self_ensemble ? ", self-ensemble" : "");
  for (const std::string& folder : s.data) {
    const EvalSet set = load_eval_set(folder, scale);
    const EvalTable table = evaluate(model, set, options);
    std::cout << fmt::format("{:<28} {:>8} {:>8} {:>9} {:>9}\n", set.name, "PSNR-Y", "SSIM-Y", "(bicubic", "SSIM-Y)");
    for (const EvalRow& r : table.rows) {
      print(r);
      all["sets"][set.name]["images"].push_back(to_json(r));
    }
    print(table.mean());
    all["sets"][set.name]["mean"] = to_json(table.mean());
  }
  if (!s.json.empty()) std::ofstream(s.json) << all.dump(2) << "\n";
  return 0;
}

}  // namespace

void add_eval(CLI::App& app, Run& run) {
  auto* command = app.add_subcommand("eval", "Measure a model on data with known answers");
  auto settings = std::make_shared<Settings>();
  command->add_option("model", settings->model, "Zoo name, .safetensors file, or the recipe beside one")->required();
  command
      ->add_option("--data", settings->data,
                   "Upscaling: folders with x2/HR, x2/LR ... inside, or photographs; classification: folders with one folder a "
                   "class, or .csv files; with --teacher folders of pictures, or .txt files that name them")
      ->required();
  command->add_option("--teacher", settings->teacher,
                      "Classification without labels: a model of the same classes whose first answer counts as the truth");
  command->add_option("--precision", settings->precision, "f32, bf16 or auto")->capture_default_str();
  command->add_flag("--self-ensemble", settings->self_ensemble, "Mean over 8 flips and rotations");
  command->add_option("--threads", settings->threads, "0: all");
  command->add_option("--batch", settings->batch, "Pictures at once, for classification")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->add_option("--confusion", settings->confusion, "Write the confusion matrix as an SVG, for classification");
  command->add_option("--json", settings->json, "Write the table as JSON too");
  command->callback([settings, &run] { run = [settings] { return run_eval(*settings); }; });
}

}  // namespace fovea
