// fovea classify INPUT... --model M [-o OUT]
#include <fmt/format.h>

#include <iostream>
#include <map>
#include <mutex>
#include <opencv2/core.hpp>

#include "apps/fovea/commands.hpp"
#include "apps/fovea/lanes.hpp"
#include "modules/autograd/apply.hpp"
#include "modules/core/threads.hpp"
#include "pipeline/batch.hpp"
#include "pipeline/clock.hpp"
#include "pipeline/interrupt.hpp"
#include "pipeline/model_facts.hpp"
#include "pipeline/sinks/folder_lock.hpp"
#include "pipeline/sinks/ledger_json.hpp"
#include "pipeline/sinks/predictions.hpp"
#include "pipeline/stages/classify.hpp"
#include "pipeline/stages/load.hpp"
#include "pipeline/stages/save.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

constexpr const char* kExamples =
    R"(Inputs are files, folders (all images in them), patterns in quotes ('photos/**/*.png'), or - for a list of paths on standard input.
How pictures are cropped and normalised stands in the model. Without -o the answers go to standard output, a line a picture. With -o,
OUT gets predictions.csv and predictions.jsonl, and a run that was stopped goes on where it was when the command is given again; with
--report a page with thumbnails too. Files that cannot be read are quarantined: reported with the reason, and they end no run.

Examples:
  fovea classify photo.jpg --model flowers.safetensors
  fovea classify photos/ --model flowers.safetensors --top 3 -o answers --report
  find . -name '*.jpg' -print0 | fovea classify - --model flowers.safetensors --json
Exit codes: 0 all done, 3 done but some inputs were quarantined, 64 wrong usage, 75 try again (interrupted, disk full).)";

struct Arguments {
  std::vector<std::string> inputs;
  std::string out, model, precision = "f32";
  int top = 5;
  LaneArguments lanes;
  bool report = false, quiet = false, json = false;
};

struct Prepared {
  ClassifyOptions options;
  Model model;
  Plan plan;
  Jobs jobs;
};

Prepared prepare(const Arguments& a) try {
  std::string warning;
  const ClassifyOptions options{a.top, parse_precision(a.precision, &warning)};
  if (!warning.empty()) fmt::print(stderr, "fovea: {}\n", warning);
  check(!a.out.empty() || !a.report, "--report: needs a folder for it: -o OUT");
  check(a.out.empty() || !fs::exists(a.out) || fs::is_directory(a.out), "-o ", a.out, ": expected a folder, this is a file");
  Model model = Model::load(a.model);
  check(model.classifies(), "classify: ", model.name(), " is no classifier");
  preprocess_of(model);
  Plan plan(Inputs(a.inputs, a.out, &std::cin), a.out, "+json");
  check(plan.count() > 0, "classify: no images found in ", fmt::format("{}", fmt::join(a.inputs, ", ")));
  const Jobs jobs = lanes_for(a.lanes, plan.count());
  return {options, std::move(model), std::move(plan), jobs};
} catch (const Error& e) { throw UsageError(e.what()); }

std::vector<Step> steps_of(const Prepared& p) {
  std::vector<Step> steps;
  steps.push_back({std::make_unique<LoadImage>(), p.jobs.load, 1});
  steps.push_back({std::make_unique<Classify>(p.model, p.options), p.jobs.process, p.jobs.width});
  return steps;
}

std::string line_of(const Frame& frame, bool json) {
  const auto& top = frame.results.get(kPredictions);
  if (json) {
    nlohmann::ordered_json object;
    put_name(object, "file", frame.source);
    object["top"] = to_json(top);
    return dump(object) + "\n";
  }
  std::string text = printable(frame.source) + "\n";
  for (const Prediction& p : top) text += fmt::format("  {:5.1f} %  {}\n", 100 * p.probability, p.name);
  return text;
}

// Prints answers in the order of the inputs, whatever the order in which they come.
class InOrder {
 public:
  void add(std::size_t index, std::string text) {
    const std::lock_guard lock(mutex_);
    waiting_[index] = std::move(text);
    for (auto it = waiting_.find(next_); it != waiting_.end(); it = waiting_.find(++next_)) {
      std::cout << it->second;
      waiting_.erase(it);
    }
    std::cout.flush();
  }

 private:
  std::mutex mutex_;
  std::size_t next_ = 0;
  std::map<std::size_t, std::string> waiting_;
};

// The last stage where nothing is written.
class PrintPredictions final : public Stage {
 public:
  PrintPredictions(InOrder& out, bool json) : out_(out), json_(json) {}
  std::string_view name() const override { return "print"; }
  Contract contract() const override { return Contract().needs(kPredictions); }
  void process(std::span<Frame> batch) override {
    for (const Frame& frame : batch) out_.add(frame.index, line_of(frame, json_));
  }

 private:
  InOrder& out_;
  bool json_;
};

// Answers to standard output; nothing is written.
int run_to_output(Prepared& p, const Arguments& a) {
  const Interrupt interrupt;
  InOrder out;
  std::size_t index = 0, quarantined = 0;
  const auto refuse = [&](const std::string& source, const std::string& reason) {
    ++quarantined;
    std::cerr << "fovea: " << printable(source) << ": " << printable(reason) << "\n";
  };
  std::vector<Step> steps = steps_of(p);
  steps.push_back({std::make_unique<PrintPredictions>(out, a.json), 1, 1});
  Runner runner(std::move(steps));
  std::vector<std::pair<std::string, std::string>> unreadable;
  runner.run(
      [&]() -> std::optional<Frame> {
        while (auto planned = Interrupt::requested() ? std::nullopt : p.plan.next()) {
          if (!planned->input.problem.empty()) {
            unreadable.emplace_back(planned->input.source, planned->input.problem);
            continue;
          }
          Frame frame;
          frame.index = index++;
          frame.source = planned->input.source;
          frame.input = planned->input.file;
          return frame;
        }
        return std::nullopt;
      },
      [&](Frame& frame) {
        if (!frame.error) return;
        // Readers begin their messages with the file's name.
        const std::string named = frame.input.string() + ": ";
        refuse(frame.source,
               frame.error->reason.starts_with(named) ? frame.error->reason.substr(named.size()) : frame.error->reason);
        out.add(frame.index, "");
      });
  for (const auto& [source, reason] : unreadable) refuse(source, reason);
  return Interrupt::requested() ? kExitTryAgain : quarantined > 0 ? kExitQuarantined : kExitDone;
}

void summarise(const Arguments& a, const BatchResult& r, const Model& model, const std::vector<fs::path>& files) {
  if (a.json) {
    nlohmann::ordered_json json{
        {"event", "summary"}, {"model", model.name()},      {"precision", a.precision},     {"total", r.total},
        {"done", r.done},     {"up_to_date", r.up_to_date}, {"quarantined", r.quarantined}, {"left", r.left}};
    if (!r.stopped.empty()) json["stopped"] = r.stopped;
    put_name(json, "out", a.out);
    json["wall_s"] = r.wall;
    fmt::print("{}\n", dump(json));
    return;
  }
  if (!a.quiet) {
    fmt::print("{} classified with {} in {}, {} up to date, {} quarantined\n", r.done, model.name(), clock_text(r.wall),
               r.up_to_date, r.quarantined);
    for (const fs::path& file : files) fmt::print("  {}\n", file.string());
  }
  if (r.left > 0) fmt::print(stderr, "{} left ({}). Give the same command again to go on.\n", r.left, r.stopped);
}

int run_to_folder(Prepared& p, const Arguments& a) {
  const fs::path out = a.out;
  write_output(out / ".", [] {});  // makes the folder
  const FolderLock lock(out);
  for (const fs::path& folder : p.plan.folders()) remove_stale_temporaries(folder);
  remove_stale_temporaries(out);
  Ledger ledger(out);
  const auto progress = make_progress(a.quiet ? ProgressKind::quiet : a.json ? ProgressKind::json : ProgressKind::automatic);
  const nlohmann::json settings{
      {"command", "classify"},      {"model", p.model.name()}, {"weights", p.model.fingerprint()},
      {"recipe", p.model.recipe()}, {"top", p.options.top},    {"precision", name_of(p.options.precision)}};
  std::vector<Step> steps = steps_of(p);
  steps.push_back({std::make_unique<SavePredictions>(), p.jobs.save, 1});
  const BatchResult result = run_batch(p.plan, ledger, settings, std::move(steps), *progress);
  const auto files = write_predictions(out, ledger, a.report, model_facts(p.model));
  summarise(a, result, p.model, files);
  return result.exit_code();
}

int run(const Arguments& a) {
  Prepared p = prepare(a);
  p.model.release_weights();
  set_threads(a.lanes.budget());
  cv::setNumThreads(a.lanes.budget());
  return a.out.empty() ? run_to_output(p, a) : run_to_folder(p, a);
}

}  // namespace

void add_classify(CLI::App& app, Run& run_chosen) {
  CLI::App& options = *app.add_subcommand("classify", "Say what pictures show");
  auto a = std::make_shared<Arguments>();
  options.add_option("INPUT", a->inputs, "Files, folders, patterns, or - for a list on standard input")->required();
  options.add_option("-m,--model", a->model, "A .safetensors file or a model of the zoo")->required();
  options.add_option("-o,--out", a->out, "Folder for tables and report; without it answers go to standard output");
  options.add_option("--top", a->top, "How many classes for each picture")->check(CLI::Range(1, 1000))->capture_default_str();
  options.add_option("--precision", a->precision, "f32, bf16, or auto (bf16 where the processor has AMX)")
      ->check(CLI::IsMember({"f32", "bf16", "auto"}))
      ->capture_default_str();
  add_lane_options(options, a->lanes);
  options.add_flag("--report", a->report, "Write OUT/report.html: thumbnails with the most probable classes");
  options.add_flag("-q,--quiet", a->quiet, "With -o: say nothing but errors");
  options.add_flag("--json", a->json, "One JSON object a picture (with -o: an event) on standard output");
  options.footer(kExamples);
  options.callback([a, &run_chosen] { run_chosen = [a] { return run(*a); }; });
}

}  // namespace fovea
