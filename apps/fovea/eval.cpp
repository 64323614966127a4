#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/fovea/commands.hpp"
#include "datasets/super_resolution.hpp"
#include "modules/autograd/apply.hpp"
#include "modules/core/threads.hpp"
#include "modules/model.hpp"

namespace fovea {
namespace {

struct Settings {
  std::string model, precision = "f32", json;
  std::vector<std::string> data;
  int threads = 0;
};

nlohmann::json to_json(const EvalRow& r) {
  return {{"image", r.image}, {"psnr_y", r.psnr}, {"ssim_y", r.ssim}, {"bicubic_psnr_y", r.bicubic_psnr}, {"bicubic_ssim_y", r.bicubic_ssim}};
}

void print(const EvalRow& r) {
  std::cout << fmt::format("{:<28} {:>8.2f} {:>8.4f} {:>9.2f} {:>9.4f}\n", r.image, r.psnr, r.ssim, r.bicubic_psnr, r.bicubic_ssim);
}

int run_eval(const Settings& s) {
  if (s.threads > 0) set_threads(s.threads);
  const DType precision = parse_precision(s.precision);
  const Model model = Model::load(s.model);
  const int scale = model.upscale().scale;
  nlohmann::json all{{"model", model.name()}, {"scale", scale}, {"precision", std::string(name_of(precision))}};
  std::cout << fmt::format("{}: x{}, {} parameters, {}\n", model.name(), scale, model.params()->count(), name_of(precision));
  for (const std::string& folder : s.data) {
    const EvalSet set = load_eval_set(folder, scale);
    const EvalTable table = evaluate_upscaling(set, scale, [&](const cv::Mat& low) {
      return to_image(model.run(to_tensor(low), {.keep = "", .pins = {}, .precision = precision}).output);
    });
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
  command->add_option("model", settings->model, "Zoo name or .safetensors file")->required();
  command->add_option("--data", settings->data, "Folders: x2/HR, x2/LR ... inside, or photographs")->required();
  command->add_option("--precision", settings->precision, "f32, bf16 or auto")->capture_default_str();
  command->add_option("--threads", settings->threads, "0: all");
  command->add_option("--json", settings->json, "Write the table as JSON too");
  command->callback([settings, &run] { run = [settings] { return run_eval(*settings); }; });
}

}  // namespace fovea
