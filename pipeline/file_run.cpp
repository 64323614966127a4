#include "pipeline/file_run.hpp"

#include <mutex>
#include <optional>

#include "datasets/video/address.hpp"
#include "pipeline/clock.hpp"
#include "pipeline/interrupt.hpp"
#include "pipeline/second_try.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

// Errors begin with the file's name where a function below knew it; the reader is told the name already.
// The ledger and the counts, used by the pipeline's source and sink, which run on different threads.
class FileRun {
 public:
  FileRun(WorkList& work, Ledger& ledger, const nlohmann::json& settings, Progress& progress)
      : work_(work), ledger_(ledger), progress_(progress), settings_(ledger.use(settings)) {
    result.total = work.count();
    ledger.forget_without_output();
  }

  // The next file that needs work. Once the run is stopped, what is done already is still counted among its files.
  std::optional<Frame> next() {
    while (auto item = work_.next()) {
      if (Interrupt::requested()) stop("interrupted");
      std::lock_guard lock(mutex_);
      if (!result.stopped.empty()) keep(*item);
      else if (auto frame = take(*item)) return frame;
    }
    return std::nullopt;
  }

  void finish(Frame& frame) {
    std::lock_guard lock(mutex_);
    for (const StageTime& time : frame.times) result.cpu[std::string(time.stage)] += time.cpu;
    if (frame.error && frame.error->environment) return note_stop(frame.error->reason);
    if (frame.error && frame.error->passing) return second_try_.note(frame);
    Record record = record_of(frame.input, frame.alias, frame.part, frame.output);
    record.stamp = stamps_.extract(frame.index).mapped();
    record.seconds = frame.seconds();
    record.notes = frame.notes;
    for (const fs::path& file : frame.written) record.beside.push_back(file.lexically_relative(root()).string());
    if (frame.error) return quarantine(std::move(record), frame.source, without_name(frame.error->reason, frame.name()));
    if (!append(std::move(record))) return;
    ++result.done;
    progress_.done(frame);
    for (const std::string& text : frame.notes) progress_.note(frame.source, text);
  }

  void try_again(Runner& runner) {
    for (const auto& failed : second_try_.run(runner, [&](Frame& frame) { finish(frame); })) leave(failed.source, failed.reason);
    if (result.stopped.empty()) result.stopped = first_left_;
    result.others = ledger_.others(settings_);
  }

  FileRunResult result;

 private:
  fs::path root() const { return ledger_.file().parent_path(); }

  void stop(const std::string& reason) {
    std::lock_guard lock(mutex_);
    note_stop(reason);
  }
  void note_stop(const std::string& reason) {
    if (result.stopped.empty()) result.stopped = reason;
  }

  // For next time, with the reason; the run goes on.
  void leave(const std::string& source, const std::string& reason) {
    const std::string text = without_name(reason, source);
    if (first_left_.empty()) first_left_ = printable(source) + ": " + text;
    progress_.left(source, text);
  }

  Record record_of(const fs::path& input, const std::string& alias, const std::string& part, const fs::path& output) const {
    Record record;
    record.input = !alias.empty()               ? alias
                   : is_address(input.string()) ? input.string()
                                                : fs::absolute(input).lexically_normal().string();
    record.part = part;
    if (!output.empty()) record.output = output.lexically_relative(root()).string();
    record.settings = settings_;
    return record;
  }

  // When files were changed tells of them, too.
  FileStamp stamp_of(const Input& input) const {
    FileStamp stamp = FileStamp::of(input.files());
    if (const Aliases* aliases = work_.aliases(); aliases && stamp.size >= 0)
      stamp.modified = aliases->sealed(stamp.modified), stamp.changed = aliases->sealed(stamp.changed);
    return stamp;
  }

  bool append(Record record) {
    try {
      ledger_.append(std::move(record));
      return true;
    } catch (const Error& e) {
      note_stop(e.what());
      return false;
    }
  }

  void quarantine(Record record, const std::string& source, const std::string& reason) {
    record.state = Record::State::quarantined;
    record.reason = reason;
    if (!append(std::move(record))) return;
    ++result.quarantined;
    progress_.quarantined(source, reason);
  }

  void skip(Record record, const Input& input) {
    if (ledger_.find(record.input, {})) return;  // given twice
    record.state = Record::State::skipped;
    record.reason = input.problem;
    if (!append(std::move(record))) return;
    result.skipped.push_back({input.source, input.problem});
    progress_.skipped(input.source, input.problem);
  }

  void keep(const WorkItem& item) {
    const Record wanted = record_of(item.input.file, item.input.alias, item.input.part, item.output);
    const Record* old = ledger_.find(wanted.input, wanted.output, wanted.part);
    if (old && ledger_.up_to_date(*old, stamp_of(item.input), settings_)) ledger_.keep(*old);
  }

  // A frame when there is work; else the file is counted here.
  std::optional<Frame> take(const WorkItem& item) {
    Record record = record_of(item.input.file, item.input.alias, item.input.part, item.output);
    if (item.input.fault == Fault::passing) return leave(item.input.source, item.input.problem), std::nullopt;
    const FileStamp now = record.stamp = stamp_of(item.input);
    if (item.input.fault == Fault::skipped) return skip(std::move(record), item.input), std::nullopt;
    if (!item.input.problem.empty()) {
      quarantine(std::move(record), item.input.source, item.input.problem);
      return std::nullopt;
    }
    const Record* old = ledger_.find(record.input, record.output, record.part);
    if (old && ledger_.up_to_date(*old, now, settings_)) {
      ledger_.keep(*old);
      if (old->state == Record::State::quarantined) {
        ++result.quarantined;
        progress_.quarantined(item.input.source, old->reason);
      } else {
        ++result.up_to_date;
        progress_.up_to_date(item.input.source);
      }
      return std::nullopt;
    }
    Frame frame = frame_of(item);
    frame.index = ++last_index_;
    frame.advance = [this, source = frame.source](double share) {
      std::lock_guard lock(mutex_);
      progress_.advance(source, share);
    };
    stamps_[frame.index] = now;
    return frame;
  }

  WorkList& work_;
  Ledger& ledger_;
  Progress& progress_;
  std::string settings_;
  std::mutex mutex_;
  SecondTry second_try_;
  std::string first_left_;  // of the inputs that failed for a reason that passes: the first, and why
  std::size_t last_index_ = 0;
  std::map<std::size_t, FileStamp> stamps_;  // of the frames in flight, taken before they are read
};

}  // namespace

std::string without_name(const std::string& reason, const std::string& name) {
  return reason.starts_with(name + ": ") ? reason.substr(name.size() + 2) : reason;
}

Frame frame_of(const WorkItem& item) {
  Frame frame;
  frame.source = item.input.source;
  frame.input = item.input.file;
  frame.part = item.input.part;
  frame.members = item.input.members;
  frame.stream = item.input.stream;
  frame.address = item.input.address;
  frame.alias = item.input.alias;
  frame.output = item.output;
  return frame;
}

FileRunResult run_files(WorkList& work, Ledger& ledger, const nlohmann::json& settings, std::vector<StageSpec> stages,
                        Progress& progress, std::size_t group) {
  const Interrupt interrupt;
  const double start = wall_seconds();
  FileRun run(work, ledger, settings, progress);
  progress.start(work.count());
  Runner runner(std::move(stages));
  runner.run([&] { return run.next(); }, [&](Frame& frame) { run.finish(frame); }, group);
  run.try_again(runner);

  FileRunResult& result = run.result;
  result.warning = ledger.damage();
  const std::size_t reached = result.done + result.up_to_date + result.quarantined;
  result.left = result.total > reached ? result.total - reached : 0;
  if (result.left == 0) {
    result.stopped.clear();
    try {
      ledger.compact();
    } catch (const EnvironmentError& e) { result.warning += (result.warning.empty() ? "" : "; ") + std::string(e.what()); }
  }
  result.wall = wall_seconds() - start;
  progress.stop();
  return result;
}

}  // namespace fovea
