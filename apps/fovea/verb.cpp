#include "apps/fovea/verb.hpp"

#include <fmt/format.h>

#include <iostream>

#include "apps/fovea/option_list.hpp"
#include "apps/fovea/summary.hpp"
#include "pipeline/process.hpp"
#include "pipeline/sinks/progress.hpp"

namespace fovea {
namespace {

constexpr const char* kInputs =
    R"(Inputs are files, folders (all images in them; the tree is mirrored in OUT), patterns in quotes ('photos/**/*.png'),
or - for a list of paths on standard input. `fovea --version` names the formats that are read; 8 and 16 bit, grey, colour and alpha.
Names that begin with a dot are left out of folders.

A run that was stopped or killed goes on where it was when the same command is given again. Files that cannot be read are
quarantined: reported, written into OUT/fovea-ledger.jsonl with the reason, and tried again only when they changed.
)";

constexpr const char* kExitCodes =
    "\nExit codes: 0 all done, 3 done but some inputs were quarantined, 64 wrong usage, 75 try again (interrupted, disk full).";

// What the command line says of one run.
struct Arguments {
  Verb verb;
  OptionList options;
  ProcessOptions process;
  std::string out, model;
  bool quiet = false, json = false;
};

Model load_model(const Arguments& a) try {
  return Model::load(a.model.empty() ? a.verb.operation->default_model() : a.model);
} catch (const Error& e) { throw UsageError(e.what()); }

int run(Arguments& a) {
  if (a.verb.instead && a.verb.instead(a.model)) return kExitDone;
  a.process.out = a.out;
  a.process.list = &std::cin;
  Process process(*a.verb.operation, a.process, load_model(a));
  if (a.verb.operation->runs_only()) a.verb.operation->model().release_weights();
  if (!process.warning().empty()) fmt::print(stderr, "fovea: {}\n", process.warning());
  if (a.out.empty()) return process.print_answers(std::cout, std::cerr, a.json);
  const auto progress = make_progress(a.quiet ? ProgressKind::quiet : a.json ? ProgressKind::json : ProgressKind::automatic);
  const FileRunResult result = process.run(*progress);
  const Summary summary{*a.verb.operation, process, result, a.out, a.process.budget()};
  if (a.json) print_json_summary(summary);
  else if (!a.quiet) print_summary(summary);
  return result.exit_code();
}

void add_common_options(CLI::App& command, Arguments& a) {
  const bool folder = !a.verb.operation->answers_in_text();
  auto* inputs = command.add_option("INPUT", a.process.inputs, "Files, folders, patterns, or - for a list on standard input");
  if (!a.verb.instead) inputs->required();
  command.add_option("-o,--out", a.out,
                     folder ? "Folder for the results" : "Folder for the results; without it answers go to standard output");
  auto* model = command.add_option("-m,--model", a.model, "A model of the zoo or a .safetensors file");
  if (a.verb.operation->needs_model()) model->required();
  command.add_option("--precision", a.process.precision, "f32, bf16, or auto (bf16 where the processor has AMX)")
      ->check(CLI::IsMember({"f32", "bf16", "auto"}))
      ->capture_default_str();
  command.add_option("-t,--threads", a.process.threads, "Processors to use (default: all that this process may use)")
      ->check(CLI::Range(1, 1024));
  command
      .add_option("--hint", a.process.hint,
                  "latency: one image at a time on all processors; throughput: a processor for each image, with the memory that "
                  "takes; auto: throughput, wider where there are fewer images than processors")
      ->check(CLI::IsMember({"auto", "latency", "throughput"}))
      ->capture_default_str();
  command.add_option("-j,--jobs", a.process.jobs, "Images read:computed:written at once, for example 1:2:1; wins over --hint");
  if (!a.verb.operation->always_reports())
    command.add_flag("--report", a.process.report, "Write OUT/report.html: every image with its answer, times");
  command
      .add_option_function<std::string>(
          "--pages", [&a](const std::string& text) { a.process.all_pages = text == "all"; },
          "Of files with several pictures (TIFF, animated PNG): first, or all, with an output for each page")
      ->check(CLI::IsMember({"first", "all"}))
      ->default_str("first");
  command.add_flag("-q,--quiet", a.quiet, "Say nothing but errors");
  command.add_flag("--json", a.json,
                   folder ? "One JSON object an event on standard output, a summary last"
                          : "One JSON object an image (with -o: an event, a summary last) on standard output");
}

}  // namespace

void add_verb(CLI::App& app, Run& run_chosen, Verb verb) {
  auto a = std::make_shared<Arguments>();
  a->verb = std::move(verb);
  CLI::App& command = *app.add_subcommand(a->verb.name, a->verb.text);
  add_common_options(command, *a);
  a->verb.operation->add_options(a->options);
  add_options(command, a->options, &a->process.inputs);
  if (a->verb.add_more) a->verb.add_more(command);
  command.footer(kInputs + ("\n" + a->verb.examples) + kExitCodes);
  command.callback([a, &run_chosen] { run_chosen = [a] { return run(*a); }; });
}

}  // namespace fovea
