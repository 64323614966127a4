// fovea explain INPUT... --model M -o OUT
#include "apps/fovea/explain.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <memory>
#include <opencv2/core.hpp>

#include "apps/fovea/commands.hpp"
#include "modules/core/threads.hpp"
#include "pipeline/model_facts.hpp"
#include "pipeline/sinks/folder_lock.hpp"
#include "pipeline/sinks/ledger_json.hpp"
#include "pipeline/sinks/report.hpp"
#include "pipeline/sinks/report_explain.hpp"
#include "pipeline/stages/explain_images.hpp"
#include "pipeline/stages/load.hpp"
#include "pipeline/stages/save.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

constexpr const char* kExamples =
    R"(For each image: "photo.jpg.<map>.png", the map in colours over the picture with its legend; the values in the image's own
pixels ("photo.jpg.<map>.npy", or a 16-bit PNG); "photo.jpg.json" with the classes, the geometry and numbers about the map. For all of
them OUT/report.html. Inputs, folders, reruns and quarantine are as with `fovea upscale`.

Layers are named by globs: * within a name, ** across names, {a,b}. --list-layers says what a model has.

Examples:
  fovea explain photos/ --model pets.safetensors -o why
  fovea explain dog.jpg --model pets.safetensors -o why --method score_cam --class Beagle
  fovea explain photos/ --model pets.safetensors -o why --method attention --layer '**.spatial' --statistics
  fovea explain photos/ --model pets.safetensors -o why --method occlusion --faithfulness
Exit codes: 0 all done, 3 done but some inputs were quarantined, 64 wrong usage, 75 try again (interrupted, disk full).)";

nlohmann::json settings_of(const ExplainArguments& a, const Model& model) {
  const explain::Options& d = a.options.details;
  return {{"command", "explain"},
          {"model", model.name()},
          {"weights", model.fingerprint()},
          {"method", a.options.method},
          {"layer", a.options.layer},
          {"class", a.options.target},
          {"top", a.options.top},
          {"raw", a.raw},
          {"colours", a.colours},
          {"opacity", a.opacity},
          {"heads", d.heads},
          {"channels", d.channels},
          {"window", d.window},
          {"stride", d.stride},
          {"samples", d.samples},
          {"noise", d.noise},
          {"steps", d.steps},
          {"seed", d.seed},
          {"faithfulness", a.options.faithfulness}};
}

std::vector<Step> steps_of(const ExplainArguments& a, std::shared_ptr<const Explainer> explainer, const Jobs& jobs) {
  SaveExplainedOptions save;
  save.raw = a.raw == "npy" ? RawMap::npy : a.raw == "png" ? RawMap::png : RawMap::none;
  save.colours = a.colours == "viridis" ? Colours::viridis : a.colours == "inferno" ? Colours::inferno : Colours::turbo;
  save.opacity = a.opacity;
  std::vector<Step> steps;
  steps.push_back({std::make_unique<LoadImage>(), jobs.load, 1});
  steps.push_back({std::make_unique<ExplainImages>(std::move(explainer)), jobs.process, jobs.width});
  steps.push_back({std::make_unique<SaveExplained>(save), jobs.save, 1});
  return steps;
}

// Everything that can be found wrong before any work.
struct Prepared {
  Jobs jobs;
  fs::path out;
  std::shared_ptr<const Explainer> explainer;
  Plan plan;
};

Prepared prepare(const ExplainArguments& a) try {
  check(!a.inputs.empty(), "explain: expected images, folders or patterns");
  check(!a.out.empty(), "explain: expected -o FOLDER");
  check(!fs::exists(a.out) || fs::is_directory(a.out), "-o ", a.out, ": expected a folder, this is a file");
  check(a.boxes.empty() || fs::is_regular_file(a.boxes), "--boxes ", a.boxes, ": no such file");
  auto explainer = std::make_shared<Explainer>(Model::load(a.model), a.options);
  if (a.statistics) explainer->check_statistics();
  Plan plan(Inputs(a.inputs, a.out, &std::cin), a.out, "+json");
  check(plan.count() > 0, "explain: no images found in ", fmt::format("{}", fmt::join(a.inputs, ", ")));
  return {lanes_for(a.lanes, plan.count()), a.out, std::move(explainer), std::move(plan)};
} catch (const Error& e) { throw UsageError(e.what()); }

void print_json(const ExplainArguments& a, const BatchResult& r, const nlohmann::ordered_json& faithfulness) {
  nlohmann::ordered_json json{{"event", "summary"},         {"method", a.options.method},   {"total", r.total}, {"done", r.done},
                              {"up_to_date", r.up_to_date}, {"quarantined", r.quarantined}, {"left", r.left}};
  if (!r.stopped.empty()) json["stopped"] = r.stopped;
  if (!r.warning.empty()) json["warning"] = r.warning;
  if (!faithfulness.is_null()) json["faithfulness"] = faithfulness;
  put_name(json, "out", a.out);
  json["wall_s"] = r.wall;
  fmt::print("{}\n", dump(json));
}

void print_text(const ExplainArguments& a, const BatchResult& r, const nlohmann::ordered_json& faithfulness) {
  fmt::print("{} image{} explained with {} in {}\n", r.done, r.done == 1 ? "" : "s", a.options.method, clock_text(r.wall));
  if (r.up_to_date > 0) fmt::print("{} up to date from before\n", r.up_to_date);
  if (r.quarantined > 0) fmt::print("{} quarantined; the reasons are in {}\n", r.quarantined, a.out + "/fovea-ledger.jsonl");
  for (const auto& [map, scores] : faithfulness.items()) fmt::print("{}: {}\n", map, scores.dump());
  fmt::print("report:   {}\n", (fs::path(a.out) / kReportName).string());
  std::fflush(stdout);
  if (!r.warning.empty()) fmt::print(stderr, "{}\n", r.warning);
  if (r.left > 0)
    fmt::print(stderr, "{} left ({}). Give the same command again to go on.\n", r.left,
               r.stopped.empty() ? "inputs changed meanwhile" : r.stopped);
}

int run(const ExplainArguments& a) {
  if (a.list_layers) {
    try {
      print_layers(Model::load(a.model));
    } catch (const Error& e) { throw UsageError(e.what()); }
    return kExitDone;
  }
  Prepared p = prepare(a);
  write_output(p.out / ".", [] {});  // makes the folder
  const FolderLock lock(p.out);
  for (const fs::path& folder : p.plan.folders()) remove_stale_temporaries(folder);
  remove_stale_temporaries(p.out);
  Ledger ledger(p.out);
  set_threads(a.lanes.budget());
  cv::setNumThreads(a.lanes.budget());
  const auto progress = make_progress(a.quiet ? ProgressKind::quiet : a.json ? ProgressKind::json : ProgressKind::automatic);
  const nlohmann::json settings = settings_of(a, p.explainer->model());
  if (p.explainer->runs_only()) p.explainer->model().release_weights();
  const BatchResult result = run_batch(p.plan, ledger, settings, steps_of(a, p.explainer, p.jobs), *progress);

  ReportFacts facts{settings, model_facts(p.explainer->model()), result, a.lanes.budget(), "Fovea explain", explained_entry, {}};
  if (a.statistics && result.left == 0)
    facts.extra = "<h2>Heads</h2>\n<div style=\"overflow:auto\">" + write_statistics(p.out, ledger, *p.explainer) + "</div>\n";
  write_report(p.out, ledger, facts);
  const auto faithfulness = faithfulness_of(p.out, ledger, a.boxes);
  if (a.json) print_json(a, result, faithfulness);
  else if (!a.quiet) print_text(a, result, faithfulness);
  return result.exit_code();
}

std::string method_list() {
  std::string text;
  for (const explain::Method& m : explain::methods()) text += (text.empty() ? "" : "; ") + m.name + ": " + m.text;
  return text;
}

void add_method_options(CLI::App& options, ExplainArguments& a) {
  explain::Options& d = a.options.details;
  options.add_option("--method", a.options.method, method_list())->capture_default_str();
  options.add_option("--layer", a.options.layer, "Glob of layers (default: the deepest map, or all that show attention)");
  options.add_option("--class", a.options.target,
                     "Class to explain: its name, a synonym in it (\"tabby\" of \"Egyptian cat, tabby\", in either case) or its "
                     "index (default: the most probable one)");
  options.add_option("--top", a.options.top, "Classes to report")->check(CLI::Range(1, 1000))->capture_default_str();
  options.add_flag("--heads", d.heads, "attention: a map for each head instead of their mean");
  options.add_option("--channels", d.channels, "score_cam: only the channels that vary most; 0: all")
      ->check(CLI::Range(0, 1 << 20));
  options.add_option("--window", d.window, "occlusion: side in input pixels; 0: a seventh of the input")
      ->check(CLI::Range(0, 1 << 14));
  options.add_option("--stride", d.stride, "occlusion: 0: half the window")->check(CLI::Range(0, 1 << 14));
  options.add_option("--samples", d.samples, "smooth_grad: noisy copies")->check(CLI::Range(1, 100000))->capture_default_str();
  options.add_option("--noise", d.noise, "smooth_grad: standard deviation, part of the input's range")
      ->check(CLI::Range(0.0, 10.0))
      ->capture_default_str();
  options.add_option("--steps", d.steps, "integrated_gradients: steps from a blank picture")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  options.add_option("--seed", d.seed, "smooth_grad: of the noise")->capture_default_str();
  options.add_option("--batch", d.batch, "Changed pictures run at once")->check(CLI::Range(1, 1024))->capture_default_str();
}

}  // namespace

void add_explain(CLI::App& app, Run& run_chosen) {
  CLI::App& options = *app.add_subcommand("explain", "Show what a model looked at");
  auto a = std::make_shared<ExplainArguments>();
  options.add_option("INPUT", a->inputs, "Files, folders, patterns, or - for a list on standard input");
  options.add_option("-o,--out", a->out, "Folder for the results");
  options.add_option("-m,--model", a->model, "A model of the zoo or a .safetensors file")->required();
  add_method_options(options, *a);
  options.add_flag("--faithfulness", a->options.faithfulness, "Measure each map: insertion and deletion");
  options.add_option("--boxes", a->boxes, "JSON with boxes of the images' objects: also play the pointing game");
  options.add_flag("--statistics", a->statistics, "Count what the heads do over all images: OUT/statistics.csv, .json, .svg");
  options.add_flag("--list-layers", a->list_layers, "Print the model's layers and stop");
  options.add_option("--raw", a->raw, "Values beside the picture: npy, png (16 bit), none")
      ->check(CLI::IsMember({"npy", "png", "none"}))
      ->capture_default_str();
  options.add_option("--colours", a->colours, "turbo, viridis or inferno")
      ->check(CLI::IsMember({"turbo", "viridis", "inferno"}))
      ->capture_default_str();
  options.add_option("--opacity", a->opacity, "Of the colours, 0 to 1")->check(CLI::Range(0.0, 1.0))->capture_default_str();
  add_lane_options(options, a->lanes);
  options.add_flag("-q,--quiet", a->quiet, "Say nothing but errors");
  options.add_flag("--json", a->json, "One JSON object an event on standard output, a summary last");
  options.footer(kExamples);
  options.callback([a, &run_chosen] { run_chosen = [a] { return run(*a); }; });
}

}  // namespace fovea
