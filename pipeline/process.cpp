#include "pipeline/process.hpp"

#include <fmt/format.h>

#include <opencv2/core.hpp>

#include "datasets/video/address.hpp"
#include "modules/autograd/apply.hpp"
#include "modules/core/fingerprint.hpp"
#include "modules/core/threads.hpp"
#include "pipeline/interrupt.hpp"
#include "pipeline/second_try.hpp"
#include "pipeline/sinks/folder_lock.hpp"
#include "pipeline/sinks/in_order.hpp"
#include "pipeline/sinks/ledger_json.hpp"
#include "pipeline/sinks/report.hpp"
#include "pipeline/sources/pages.hpp"
#include "pipeline/stages/save.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

void check_folder(const fs::path& out) {
  if (out.empty()) return;
  check(!fs::exists(out) || fs::is_directory(out), "-o ", out.string(), ": expected a folder, this is a file");
  check(fs::exists(out) || !is_image_like(out), "-o ", out.string(), ": expected a folder, this looks like the name of an image");
}

// Results that are called by aliases must not lie among others.
void refuse_names(const Ledger& ledger) {
  for (const auto& [key, record] : ledger.records())
    if (record.input.starts_with('/') || is_address(record.input))
      throw UsageError("-o " + ledger.file().parent_path().string() +
                       ": the folder holds results of another run, which tell the names of their inputs: choose another folder");
}

// The last stage where nothing is written.
class PrintAnswers final : public Stage {
 public:
  PrintAnswers(const Operation& operation, InOrder& out, bool json) : operation_(operation), out_(out), json_(json) {}
  std::string_view name() const override { return "print"; }
  Contract contract() const override { return {}; }
  void process(std::span<Frame> frames) override {
    for (const Frame& frame : frames) out_.add(frame.index, json_ ? dump(operation_.json(frame)) + "\n" : operation_.text(frame));
  }

 private:
  const Operation& operation_;
  InOrder& out_;
  bool json_;
};

}  // namespace

int ProcessOptions::budget() const { return threads > 0 ? threads : cpu_budget(); }

Process::Process(Operation& operation, ProcessOptions options, Model model) try
    : operation_(operation), options_(std::move(options)) {
  precision_ = parse_precision(options_.precision, &warning_);
  check(!options_.inputs.empty(), "expected images, folders or patterns");
  check(!options_.out.empty() || operation.answers_in_text(), "expected -o FOLDER");
  check(!options_.out.empty() || !options_.report, "--report: needs a folder for it: -o OUT");
  check_folder(options_.out);
  operation.open(std::move(model), {precision_, options_.out, options_.report});
  work_.emplace(Inputs(options_.inputs, options_.out, options_.list, operation.takes_streams(), operation.takes_scans()),
                options_.out, operation.output_format(), mapping());
  check(work_->count() > 0, "no images found", work_->aliases() ? "" : fmt::format(" in {}", fmt::join(options_.inputs, ", ")),
        work_->skipped() == 0
            ? ""
            : fmt::format("; {} of formats that are not read, the first: {}", work_->skipped(), work_->first_skipped()));
  jobs_ = plan_jobs(options_.budget(), work_->count(), parse_hint(options_.hint),
                    options_.jobs.empty() ? std::nullopt : std::optional(parse_jobs(options_.jobs)));
  set_threads(options_.budget());
  cv::setNumThreads(options_.budget());
} catch (const FolderBusy&) { throw; } catch (const EnvironmentError&) {
  throw;
} catch (const Error& e) {
  if (is_passing(e)) throw;
  throw UsageError(e.what());
}

InputMapping Process::mapping() const {
  InputMapping own = operation_.mapping();
  if (options_.pages == "all" && !own.parts && !own.group) own.parts = page_mapping().parts;
  return own;
}

nlohmann::json Process::settings() const {
  nlohmann::json all = operation_.settings();
  const Model& model = operation_.model();
  all["model"] = model.name();
  all["weights"] = model.fingerprint();
  all["recipe"] = fingerprint(model.recipe());
  all["precision"] = name_of(precision_);
  return all;
}

FileRunResult Process::run(Progress& progress) {
  const fs::path& out = options_.out;
  write_output(out / ".", [] {});  // makes the folder
  const FolderLock lock(out, [&](const std::string& text) { progress.warn(text); });
  for (const fs::path& folder : work_->folders()) remove_stale_temporaries(folder);
  remove_stale_temporaries(out);
  Ledger ledger(out);
  if (work_->aliases()) refuse_names(ledger);
  ledger.check_answers_by([this](const fs::path& output) { operation_.check_answer(output); });
  auto stages = operation_.stages(jobs_);
  for (StageSpec& spec : operation_.save_stages(jobs_)) stages.push_back(std::move(spec));
  const FileRunResult result = run_files(*work_, ledger, settings(), std::move(stages), progress, operation_.group());
  files_ = operation_.finish(out, ledger, result.left == 0);
  if (options_.report || operation_.always_reports()) write_report_page(ledger, result);
  return result;
}

void Process::write_report_page(const Ledger& ledger, const FileRunResult& result) {
  const auto article = [this](const fs::path& folder, const Record& record) { return operation_.article(folder, record); };
  files_.push_back(write_report(
      options_.out, ledger,
      {settings(), operation_.facts(), result, options_.budget(), operation_.report(), article, work_->aliases() != nullptr}));
}

int Process::print_answers(std::ostream& out, std::ostream& refused, bool json) {
  const Interrupt interrupt;
  InOrder ordered(out);
  std::size_t index = 0, quarantined = 0, skipped = 0, left = 0;
  const auto refuse = [&](std::size_t& count, const std::string& source, const std::string& reason) {
    ++count;
    refused << "fovea: " << printable(source) << ": " << printable(without_name(reason, source)) << "\n";
  };
  auto stages = operation_.stages(jobs_);
  stages.push_back({std::make_unique<PrintAnswers>(operation_, ordered, json), 1, 1});
  Runner runner(std::move(stages));
  std::vector<Input> unreadable;
  SecondTry second_try;
  const auto finish = [&](Frame& frame) {
    for (const std::string& text : frame.notes)
      refused << "fovea: " << printable(frame.source) << ": " << printable(text) << "\n";
    if (!frame.error) return;
    if (frame.error->passing) return second_try.note(frame);
    refuse(quarantined, frame.source, frame.error->reason);
    ordered.add(frame.index, "");
  };
  runner.run(
      [&]() -> std::optional<Frame> {
        while (auto item = Interrupt::requested() || ordered.failed() ? std::nullopt : work_->next()) {
          if (!item->input.problem.empty()) {
            unreadable.push_back(std::move(item->input));
            continue;
          }
          Frame frame = frame_of(*item);
          frame.index = index++;
          return frame;
        }
        return std::nullopt;
      },
      finish, operation_.group());
  for (const auto& failed : second_try.run(runner, finish)) {
    refuse(left, failed.source, "left for next time: " + without_name(failed.reason, failed.source));
    ordered.add(failed.index, "");
  }
  for (const Input& input : unreadable)
    refuse(input.fault == Fault::bad       ? quarantined
           : input.fault == Fault::skipped ? skipped
                                           : left,
           input.source, (input.fault == Fault::skipped ? "skipped: " : "") + input.problem);
  if (Interrupt::requested() || left > 0 || ordered.failed()) return kExitTryAgain;
  return quarantined > 0 || (options_.strict && skipped > 0) ? kExitQuarantined : kExitDone;
}

}  // namespace fovea
