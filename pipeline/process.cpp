#include "pipeline/process.hpp"

#include <fmt/format.h>

#include <opencv2/core.hpp>

#include "modules/autograd/apply.hpp"
#include "modules/core/fingerprint.hpp"
#include "modules/core/threads.hpp"
#include "pipeline/interrupt.hpp"
#include "pipeline/sinks/folder_lock.hpp"
#include "pipeline/sinks/in_order.hpp"
#include "pipeline/sinks/report.hpp"
#include "pipeline/stages/save.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

void check_folder(const fs::path& out) {
  if (out.empty()) return;
  check(!fs::exists(out) || fs::is_directory(out), "-o ", out.string(), ": expected a folder, this is a file");
  check(fs::exists(out) || !is_image_extension(out), "-o ", out.string(),
        ": expected a folder, this looks like the name of an image");
}

// The last stage where nothing is written.
class PrintAnswers final : public Stage {
 public:
  PrintAnswers(const Operation& operation, InOrder& out, bool json) : operation_(operation), out_(out), json_(json) {}
  std::string_view name() const override { return "print"; }
  Contract contract() const override { return {}; }
  void process(std::span<Frame> frames) override {
    for (const Frame& frame : frames)
      out_.add(frame.index, json_ ? operation_.json(frame).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"
                                  : operation_.text(frame));
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
  work_.emplace(Inputs(options_.inputs, options_.out, options_.list), options_.out, operation.output_format(),
                operation.mapping());
  check(work_->count() > 0, "no images found in ", fmt::format("{}", fmt::join(options_.inputs, ", ")));
  jobs_ = plan_jobs(options_.budget(), work_->count(), parse_hint(options_.hint),
                    options_.jobs.empty() ? std::nullopt : std::optional(parse_jobs(options_.jobs)));
  set_threads(options_.budget());
  cv::setNumThreads(options_.budget());
} catch (const FolderBusy&) { throw; } catch (const EnvironmentError&) {
  throw;
} catch (const Error& e) { throw UsageError(e.what()); }

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
  const FolderLock lock(out);
  for (const fs::path& folder : work_->folders()) remove_stale_temporaries(folder);
  remove_stale_temporaries(out);
  Ledger ledger(out);
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
  files_.push_back(write_report(options_.out, ledger,
                                {settings(), operation_.facts(), result, options_.budget(), operation_.report(), article}));
}

int Process::print_answers(std::ostream& out, std::ostream& refused, bool json) {
  const Interrupt interrupt;
  InOrder ordered(out);
  std::size_t index = 0, quarantined = 0;
  const auto refuse = [&](const std::string& source, const std::string& reason) {
    ++quarantined;
    refused << "fovea: " << printable(source) << ": " << printable(reason) << "\n";
  };
  auto stages = operation_.stages(jobs_);
  stages.push_back({std::make_unique<PrintAnswers>(operation_, ordered, json), 1, 1});
  Runner runner(std::move(stages));
  std::vector<std::pair<std::string, std::string>> unreadable;
  runner.run(
      [&]() -> std::optional<Frame> {
        while (auto item = Interrupt::requested() ? std::nullopt : work_->next()) {
          if (!item->input.problem.empty()) {
            unreadable.emplace_back(item->input.source, item->input.problem);
            continue;
          }
          Frame frame = frame_of(*item);
          frame.index = index++;
          return frame;
        }
        return std::nullopt;
      },
      [&](Frame& frame) {
        if (!frame.error) return;
        refuse(frame.source, without_name(frame.error->reason, frame.input.string()));
        ordered.add(frame.index, "");
      },
      operation_.group());
  for (const auto& [source, reason] : unreadable) refuse(source, reason);
  return Interrupt::requested() ? kExitTryAgain : quarantined > 0 ? kExitQuarantined : kExitDone;
}

}  // namespace fovea
