// fovea upscale INPUT... -o OUT --scale N
#include "apps/fovea/upscale.hpp"

#include <fmt/format.h>

#include <charconv>
#include <iostream>
#include <memory>

#include "apps/fovea/commands.hpp"
#include "modules/autograd/apply.hpp"
#include "modules/core/error.hpp"
#include "modules/core/threads.hpp"
#include "pipeline/model_hash.hpp"
#include "pipeline/sinks/folder_lock.hpp"
#include "pipeline/sinks/report.hpp"
#include "pipeline/stages/load.hpp"
#include "pipeline/stages/super_resolve.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

constexpr const char* kExamples = R"(Inputs are files, folders (all images in them; the tree is mirrored in OUT), patterns in quotes ('photos/**/*.png'),
or - for a list of paths on standard input. PNG, JPEG, TIFF, BMP and WebP, 8 and 16 bit, grey, colour and alpha.
Names that begin with a dot are left out of folders.

A run that was stopped or killed goes on where it was when the same command is given again. Files that cannot be read are
quarantined: reported, written into OUT/fovea-ledger.jsonl with the reason, and tried again only when they changed.

Examples:
  fovea upscale photo.jpg -o larger --scale 2
  fovea upscale photos/ -o larger --scale 4 --format png --report
  find . -name '*.tif' -print0 | fovea upscale - -o larger --scale 2 --maps npy
Exit codes: 0 all done, 3 done but some inputs were quarantined, 64 wrong usage, 75 try again (interrupted, disk full).)";

int parse_tile(const std::string& text) {
  if (text == "auto") return -1;
  int side = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), side);
  check(error == std::errc() && end == text.data() + text.size() && side >= 0, "--tile: expected auto, 0 (the whole image) or a side in pixels, got '",
        text, "'");
  return side;
}

fs::path checked_folder(const std::string& out) {
  const fs::path folder = out;
  check(!fs::exists(folder) || fs::is_directory(folder), "-o ", out, ": expected a folder, this is a file");
  check(fs::exists(folder) || !is_image_extension(folder), "-o ", out, ": expected a folder, this looks like the name of an image");
  return folder;
}

// All that shapes an output. Thread counts do not.
nlohmann::json settings_of(const UpscaleArguments& a, const Model& model, const UpscaleOptions& options) {
  return {{"command", "upscale"},
          {"model", model.name()},
          {"weights", model_hash(model)},
          {"scale", model.upscale().scale},
          {"format", a.format},
          {"quality", a.quality},
          {"tile", options.tile},
          {"precision", name_of(options.precision)},
          {"self_ensemble", options.self_ensemble},
          {"maps", a.maps}};
}

std::vector<Step> steps_of(const UpscaleArguments& a, const Model& model, const UpscaleOptions& options, const Jobs& jobs) {
  EncodeOptions encode;
  encode.jpeg_quality = encode.webp_quality = a.quality;
  std::vector<Step> steps;
  steps.push_back({std::make_unique<LoadImage>(), jobs.load, 1});
  steps.push_back({std::make_unique<SuperResolve>(upscale_network(model), options), jobs.process, jobs.width});
  if (options.maps) steps.push_back({std::make_unique<SaveMaps>(a.maps == "npy" ? MapFormat::npy : MapFormat::png), jobs.save, 1});
  steps.push_back({std::make_unique<SaveImage>(encode), jobs.save, 1});
  return steps;
}

Model load_model(const UpscaleArguments& a) {
  check(!a.model.empty() || a.scale > 0, "upscale: expected --scale N or --model NAME");
  Model model = Model::load(a.model.empty() ? default_model(a.scale) : a.model);
  const int scale = model.upscale().scale;
  check(a.scale == 0 || a.scale == scale, "upscale: --scale ", a.scale, ": the model ", model.name(), " makes images ", scale,
        " times larger");
  return model;
}

int run(const UpscaleArguments& a) {
  std::string warning;
  const UpscaleOptions options{parse_tile(a.tile), a.self_ensemble, parse_precision(a.precision, &warning), !a.maps.empty()};
  if (!warning.empty()) fmt::print(stderr, "fovea: {}\n", warning);
  const std::optional<Jobs> asked = a.jobs.empty() ? std::nullopt : std::optional(parse_jobs(a.jobs));
  const int threads = a.threads > 0 ? a.threads : cpu_budget();
  const fs::path out = checked_folder(a.out);
  const Model model = load_model(a);
  Plan plan(Inputs(a.inputs, out, &std::cin), out, a.format);
  check(plan.count() > 0, "upscale: no images found in ", fmt::format("{}", fmt::join(a.inputs, ", ")));

  write_output(out / ".", [] {});  // makes the folder
  const FolderLock lock(out);
  for (const fs::path& folder : plan.folders()) remove_stale_temporaries(folder);
  remove_stale_temporaries(out);
  Ledger ledger(out);
  const auto progress = make_progress(a.quiet ? ProgressKind::quiet : a.json ? ProgressKind::json : ProgressKind::automatic);
  const Jobs jobs = plan_jobs(threads, plan.count(), asked);
  const nlohmann::json settings = settings_of(a, model, options);
  const BatchResult result = run_batch(plan, ledger, settings, steps_of(a, model, options, jobs), *progress);

  UpscaleSummary summary{a, model, options, result, threads, {}};
  if (a.report) {
    const ReportFacts facts{model.name(), settings, model_facts(model), result, threads};
    summary.report = write_report(out, ledger, facts).string();
  }
  if (a.json) print_json_summary(summary);
  else if (!a.quiet) print_summary(summary);
  return result.exit_code();
}

}  // namespace

std::string default_model(int scale) { return "upscale-x" + std::to_string(scale); }

RunCommand declare_upscale(CLI::App& options) {
  auto a = std::make_shared<UpscaleArguments>();
  options.add_option("INPUT", a->inputs, "Files, folders, patterns, or - for a list on standard input")->required();
  options.add_option("-o,--out", a->out, "Folder for the results")->required();
  options.add_option("-s,--scale", a->scale, "How many times larger: 2, 3 or 4")->check(CLI::Range(1, 16));
  options.add_option("-m,--model", a->model, "A model of the zoo or a .safetensors file (default: the shipped one for --scale)");
  options.add_option("--format", a->format, "png, jpg, tif, bmp, webp, or same as the input")
      ->check(CLI::IsMember({"png", "jpg", "tif", "bmp", "webp", "same"}))
      ->capture_default_str();
  options.add_option("--quality", a->quality, "Of JPEG and WebP, 1 to 100")->check(CLI::Range(1, 100))->capture_default_str();
  options.add_option("--tile", a->tile, "Side of the tiles in input pixels; 0: whole images; auto: tiles for large images")->capture_default_str();
  options.add_option("--maps", a->maps, "Write the model's attention beside each output, as an overlay and as 16-bit png or npy")
      ->expected(0, 1)
      ->default_str("png")
      ->check(CLI::IsMember({"png", "npy"}));
  options.add_flag("--self-ensemble", a->self_ensemble, "Mean over 8 flips and rotations: a little better, 8 times slower");
  options.add_option("--precision", a->precision, "f32, bf16, or auto (bf16 where the processor has AMX)")
      ->check(CLI::IsMember({"f32", "bf16", "auto"}))
      ->capture_default_str();
  options.add_option("-j,--jobs", a->jobs, "Images being read:computed:written at once, for example 1:2:1 (default: by the processors)");
  options.add_option("-t,--threads", a->threads, "Processors to use (default: all that this process may use)")->check(CLI::Range(1, 1024));
  options.add_flag("--report", a->report, "Write OUT/report.html: before and after, maps, times");
  options.add_flag("-q,--quiet", a->quiet, "Say nothing but errors");
  options.add_flag("--json", a->json, "One JSON object an event on standard output, a summary last (with --quiet: the summary only)");
  options.footer(kExamples);
  return [a] { return run(*a); };
}

}  // namespace fovea
