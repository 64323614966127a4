#include "apps/fovea/verb.hpp"

#include <iostream>

#include "apps/fovea/summary.hpp"
#include "datasets/bad_file.hpp"
#include "pipeline/process.hpp"
#include "pipeline/sinks/progress.hpp"

namespace fovea {
namespace {

constexpr const char* kInputs =
    R"(Inputs are files, folders (all images in them; the tree is mirrored in OUT), patterns in quotes ('photos/**/*.png'),
or - for a list of paths on standard input. `fovea --version` names the formats that are read; 8 and 16 bit, grey, colour and alpha.
Names that begin with a dot are left out of folders; images of other formats (PSD, EXR, raw files of cameras, ...) are skipped, and listed.

A run that was stopped or killed goes on where it was when the same command is given again. Files that cannot be read are
quarantined: reported, written into OUT/fovea-ledger.jsonl with the reason, and tried again only when they changed. Where the machine
failed and not the file (out of memory, a read error, a network disk away), it is tried again at once, then left for the next run.
Tables and the report show the inputs and settings of the command at hand, whatever else is in OUT.
)";

constexpr const char* kExitCodes =
    "\nExit codes: 0 all done, 3 done but some inputs were quarantined (with --strict: or skipped), 64 wrong usage, 75 try again "
    "(interrupted, disk full, out of memory).";

// What the command line says of one run.
struct Arguments {
  Verb verb;
  ProcessOptions process;
  std::string out, model;
  bool quiet = false, json = false;
};

Model load_model(const Arguments& a) try {
  return Model::load(a.model.empty() ? a.verb.operation->default_model() : a.model);
} catch (const Error& e) {
  if (is_passing(e)) throw;
  throw UsageError(e.what());
}

int run(Arguments& a) {
  if (a.verb.instead && a.verb.instead(a.model)) return kExitDone;
  a.process.out = a.out;
  a.process.list = &std::cin;
  Process process(*a.verb.operation, a.process, load_model(a));
  if (a.verb.operation->runs_only()) a.verb.operation->model().release_weights();
  if (!process.warning().empty()) std::cerr << "fovea: " << process.warning() << "\n";
  if (a.out.empty()) return process.print_answers(std::cout, std::cerr, a.json);
  const auto progress = make_progress(a.quiet ? ProgressKind::quiet : a.json ? ProgressKind::json : ProgressKind::automatic);
  const FileRunResult result = process.run(*progress);
  const Summary summary{*a.verb.operation, process, result, a.out, a.process.budget()};
  if (a.json) print_json_summary(summary);
  else if (!a.quiet) print_summary(summary);
  return result.exit_code(a.process.strict);
}

void add_common_options(OptionList& o, Arguments& a) {
  const bool folder = !a.verb.operation->answers_in_text();
  o.words("INPUT", a.process.inputs, "Files, folders, patterns, or - for a list on standard input");
  if (!a.verb.instead) o.require();
  o.word("-o,--out", a.out,
         folder ? "Folder for the results" : "Folder for the results; without it answers go to standard output");
  o.word("-m,--model", a.model, "A model of the zoo or a .safetensors file");
  if (a.verb.operation->needs_model()) o.require();
  o.word("--precision", a.process.precision, "f32, bf16, or auto (bf16 where the processor has AMX)", {"f32", "bf16", "auto"});
  o.integer("-t,--threads", a.process.threads, 1, 1024, "Processors to use (default: all that this process may use)");
  o.hide_default();
  o.word(
      "--hint", a.process.hint,
      "latency: one image at a time on all processors; throughput: a processor for each image, with the memory that takes; auto: "
      "throughput, wider where there are fewer images than processors",
      {"auto", "latency", "throughput"});
  o.word("-j,--jobs", a.process.jobs, "Images read:computed:written at once, for example 1:2:1; wins over --hint");
  if (!a.verb.operation->always_reports())
    o.flag("--report", a.process.report, "Write OUT/report.html: every image with its answer, times");
  o.word("--pages", a.process.pages,
         "Of files with several pictures (TIFF, animated PNG): first, or all, with an output for each page", {"first", "all"});
  o.flag("--strict", a.process.strict, "Exit code 3 also where images of folders were skipped: formats that are not read");
  o.flag("-q,--quiet", a.quiet, "Say nothing but errors");
  o.flag("--json", a.json,
         folder ? "One JSON object an event on standard output, a summary last"
                : "One JSON object an image (with -o: an event, a summary last) on standard output");
}

}  // namespace

Command verb_command(Verb verb) {
  auto a = std::make_shared<Arguments>();
  a->verb = std::move(verb);
  Command c{a->verb.name, a->verb.text, kInputs + ("\n" + a->verb.examples) + kExitCodes};
  c.tunes = true;
  c.inputs = &a->process.inputs;
  add_common_options(c.options, *a);
  a->verb.operation->add_options(c.options);
  if (a->verb.add_more) a->verb.add_more(c.options);
  c.run = [a] { return run(*a); };
  return c;
}

}  // namespace fovea
