#include "apps/fovea/train_run.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <iostream>
#include <opencv2/core.hpp>

#include "apps/fovea/train_job.hpp"
#include "modules/autograd/apply.hpp"
#include "modules/core/threads.hpp"
#include "modules/io/files.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

std::uint64_t read_seed(const Yaml& train) {
  Args a = train.args();
  return static_cast<std::uint64_t>(a.get("seed", 0, "of everything random"));
}

TrainJob job_of(const Yaml& recipe, const Model& model, const fs::path& root, TrainOptions& options) {
  const Yaml& task = recipe.at("train").at("task");
  if (task.scalar() == "upscale") return upscale_job(recipe, model, root, options);
  if (task.scalar() == "distill") return distill_job(recipe, model, root, options);
  if (task.scalar() == "classify") return classify_job(recipe, model, root, options);
  fail(task.where(), ": expected the task upscale, classify or distill, got '", task.scalar(), "'");
}

}  // namespace

Yaml read_recipe(const fs::path& file, const std::vector<std::string>& overrides) {
  const auto bytes = read_file(file);
  Yaml recipe = Yaml::parse({bytes.begin(), bytes.end()}, file.string());
  for (const std::string& o : overrides) {
    const auto equal = o.find('=');
    check(equal != std::string::npos && equal > 0, "expected key=value, got '", o, "'");
    recipe.set(o.substr(0, equal), o.substr(equal + 1));
  }
  return recipe;
}

bool train(Yaml recipe, const TrainRun& run, const std::atomic<bool>& stop) {
  cv::setNumThreads(1);  // pictures are made by threads of their own, the rest of the processor is the network's
  const std::string task = recipe.at("train").at("task").scalar();
  if (task == "classify") name_classes(recipe, run.data_root);
  if (task == "distill") name_teachers_classes(recipe, run.data_root);
  const Model model = Model::from_recipe(recipe.str(), read_seed(recipe.at("train")));
  const std::int64_t parameters = model.params()->count();
  TrainOptions options;
  const TrainJob job = job_of(recipe, model, run.data_root, options);
  std::string warning;
  const DType precision = parse_precision(options.precision, &warning);
  if (!warning.empty()) std::cerr << "fovea: " << warning << "\n";
  run.say(fmt::format("{}: {} parameters; {}; {} on {} threads", model.name(), parameters, job.summary, name_of(precision),
                      options.threads > 0 ? options.threads : cpu_budget()));
  for (const std::string& w : job.warnings) std::cerr << "fovea: " << w << "\n";
  Trainer trainer(model, options, run.out);
  for (const auto& [name, text] : job.files) write_file_atomically(run.out / name, text.data(), text.size());
  if (!trainer.taken().empty()) run.say(trainer.taken());
  if (run.resume) trainer.resume();
  const bool finished = trainer.run(*job.source, job.loss, job.validate, run.progress, stop);
  if (trainer.out_of_patience()) run.say(fmt::format("ended early: {} validations without a better score", options.patience));
  return finished;
}

// A bar that redraws itself on a terminal, lines elsewhere.
void print_progress(const Trainer::Progress& p) {
  const bool terminal = isatty(STDERR_FILENO);
  if (p.validation) {
    if (p.validation->details.is_null()) return;  // there was nothing to validate with
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

}  // namespace fovea
