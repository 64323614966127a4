// fovea upscale INPUT... -o OUT --scale N
#include "apps/fovea/upscale.hpp"

#include <fmt/format.h>

#include <charconv>
#include <iostream>
#include <memory>
#include <opencv2/core.hpp>

#include "apps/fovea/commands.hpp"
#include "modules/autograd/apply.hpp"
#include "modules/core/error.hpp"
#include "modules/core/threads.hpp"
#include "pipeline/model_facts.hpp"
#include "pipeline/sinks/folder_lock.hpp"
#include "pipeline/sinks/report.hpp"
#include "pipeline/stages/load.hpp"
#include "pipeline/stages/save.hpp"
#include "pipeline/stages/super_resolve.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

// What CLI11 passes for an option that may stand without its word.
constexpr const char* kNoWord = "";

constexpr const char* kExamples =
    R"(Inputs are files, folders (all images in them; the tree is mirrored in OUT), patterns in quotes ('photos/**/*.png'),
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
  check(error == std::errc() && end == text.data() + text.size() && side >= 0,
        "--tile: expected auto, 0 (the whole image) or a side in pixels, got '", text, "'");
  return side;
}

fs::path checked_folder(const std::string& out) {
  const fs::path folder = out;
  check(!fs::exists(folder) || fs::is_directory(folder), "-o ", out, ": expected a folder, this is a file");
  check(fs::exists(folder) || !is_image_extension(folder), "-o ", out,
        ": expected a folder, this looks like the name of an image");
  return folder;
}

// All that shapes an output. Thread counts do not.
nlohmann::json settings_of(const UpscaleArguments& a, const Model& model, const UpscaleOptions& options) {
  return {{"command", "upscale"},
          {"model", model.name()},
          {"weights", model.fingerprint()},
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
  steps.push_back({std::make_unique<SuperResolve>(upscale_backend(model), options), jobs.process, jobs.width});
  if (options.maps)
    steps.push_back({std::make_unique<SaveMaps>(a.maps == "npy" ? MapFormat::npy : MapFormat::png), jobs.save, 1});
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

// Everything that can be found wrong before any work.
struct Prepared {
  UpscaleOptions options;
  Jobs jobs;
  fs::path out;
  Model model;
  Plan plan;
};

Prepared prepare(const UpscaleArguments& a) try {
  std::string warning;
  const UpscaleOptions options{parse_tile(a.tile), a.self_ensemble, parse_precision(a.precision, &warning), !a.maps.empty()};
  if (!warning.empty()) fmt::print(stderr, "fovea: {}\n", warning);
  const fs::path out = checked_folder(a.out);
  const Model model = load_model(a);
  Plan plan(Inputs(a.inputs, out, &std::cin), out, a.format);
  check(plan.count() > 0, "upscale: no images found in ", fmt::format("{}", fmt::join(a.inputs, ", ")));
  return {options, lanes_for(a.lanes, plan.count()), out, model, std::move(plan)};
} catch (const Error& e) { throw UsageError(e.what()); }

int run(const UpscaleArguments& a) {
  Prepared p = prepare(a);
  p.model.release_weights();
  write_output(p.out / ".", [] {});  // makes the folder
  const FolderLock lock(p.out);
  for (const fs::path& folder : p.plan.folders()) remove_stale_temporaries(folder);
  remove_stale_temporaries(p.out);
  Ledger ledger(p.out);
  set_threads(a.lanes.budget());
  cv::setNumThreads(a.lanes.budget());
  const auto progress = make_progress(a.quiet ? ProgressKind::quiet : a.json ? ProgressKind::json : ProgressKind::automatic);
  const nlohmann::json settings = settings_of(a, p.model, p.options);
  const BatchResult result = run_batch(p.plan, ledger, settings, steps_of(a, p.model, p.options, p.jobs), *progress);

  UpscaleSummary summary{a, p.model, p.options, result, a.lanes.budget(), {}};
  if (a.report) summary.report = write_report(p.out, ledger, {settings, model_facts(p.model), result, a.lanes.budget()}).string();
  if (a.json) print_json_summary(summary);
  if (!a.json && !a.quiet) print_summary(summary);
  return result.exit_code();
}

}  // namespace

std::string default_model(int scale) { return "upscale-x" + std::to_string(scale); }

void add_upscale(CLI::App& app, Run& run_chosen) {
  CLI::App& options = *app.add_subcommand("upscale", "Make images larger with a super-resolution network");
  auto a = std::make_shared<UpscaleArguments>();
  options.add_option("INPUT", a->inputs, "Files, folders, patterns, or - for a list on standard input");
  options.add_option("-o,--out", a->out, "Folder for the results")->required();
  options.add_option("-s,--scale", a->scale, "How many times larger: 2, 3 or 4")->check(CLI::Range(1, 16));
  options.add_option("-m,--model", a->model, "A model of the zoo or a .safetensors file (default: the shipped one for --scale)");
  options.add_option("--format", a->format, "png, jpg, tif, bmp, webp, or same as the input")
      ->check(CLI::IsMember({"png", "jpg", "tif", "bmp", "webp", "same"}))
      ->capture_default_str();
  options.add_option("--quality", a->quality, "Of JPEG and WebP, 1 to 100")->check(CLI::Range(1, 100))->capture_default_str();
  options.add_option("--tile", a->tile, "Side of the tiles in input pixels; 0: whole images; auto: tiles for large images")
      ->capture_default_str();
  // The word after --maps may be an input already.
  const auto set_maps = [a](const std::string& word) {
    a->maps = word == "npy" ? "npy" : "png";
    if (word != "npy" && word != "png" && word != kNoWord) a->inputs.push_back(word);
  };
  options
      .add_option_function<std::string>(
          "--maps", set_maps, "Write the model's attention beside each output: an overlay and the values, as 16-bit png or npy")
      ->type_name("[png|npy]")
      ->expected(0, 1)
      ->default_str("png");
  options.add_flag("--self-ensemble", a->self_ensemble, "Mean over 8 flips and rotations: a little better, 8 times slower");
  options.add_option("--precision", a->precision, "f32, bf16, or auto (bf16 where the processor has AMX)")
      ->check(CLI::IsMember({"f32", "bf16", "auto"}))
      ->capture_default_str();
  add_lane_options(options, a->lanes);
  options.add_flag("--report", a->report, "Write OUT/report.html: before and after, maps, times");
  options.add_flag("-q,--quiet", a->quiet, "Say nothing but errors");
  options.add_flag("--json", a->json,
                   "One JSON object an event on standard output, a summary last (with --quiet: only the summary)");
  options.footer(kExamples);
  options.callback([a, &run_chosen] { run_chosen = [a] { return run(*a); }; });
}

}  // namespace fovea
