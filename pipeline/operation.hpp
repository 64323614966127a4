// What a run does to every input: the part of `fovea <verb> INPUT... -o OUT` that differs from verb to verb. process.hpp does the rest: the
// list of inputs, lock, ledger, processors, progress, report, exit codes, answers on standard output in the order of the inputs.
//
// An operation is made for one run: its options are offered and set, then it is opened with a model, then its stages run.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "modules/model.hpp"
#include "pipeline/file_run.hpp"
#include "pipeline/frame_analyzer.hpp"
#include "pipeline/options.hpp"

namespace fovea {

// What a report shows of the run, beside what every report has.
struct ReportParts {
  std::string title;       // "Fovea upscale"
  std::string extra = {};  // HTML behind the settings
  std::string style = {};  // CSS for the articles
  bool tiles = false;      // articles side by side instead of one below the other
  std::size_t shown = 60;  // articles; all files are counted and listed
  // Articles stand in the order of these; empty: of the inputs. Called by several threads.
  std::function<std::string(const std::filesystem::path& out, const Record& record)> sort_key = {};
};

class Operation {
 public:
  struct Run {
    DType precision = DType::f32;
    std::filesystem::path out;  // empty: answers go to standard output
    bool report = false;
  };

  virtual ~Operation() = default;

  virtual void add_options(OptionList&) {}
  // Whether a model must be named; else default_model() is asked for one, once the options are set. Error when they name none.
  virtual bool needs_model() const { return true; }
  virtual std::string default_model() { return {}; }
  // All that can be found wrong before any work. Error.
  virtual void open(Model model, const Run& run) = 0;
  virtual const Model& model() const = 0;
  // Whether the model is only run, so that a program that needs it for nothing else may have it give its weights back
  // (Model::release_weights).
  virtual bool runs_only() const { return true; }
  // All that shapes an output beside the model's weights and the precision, which process.hpp adds: where it changes, files are done again.
  virtual nlohmann::json settings() const = 0;

  // How outputs are called: output_name() in sources/work_list.hpp.
  virtual std::string output_format() const { return "+json"; }
  // Videos and live pictures, for operations that look at pictures one after another: the options of add_options() that mean something there,
  // and what looks at one stream, once it is open. `maps`: with all maps that the model has, else with those that options ask for. Null: it
  // takes no streams.
  virtual bool takes_streams() const { return false; }
  virtual void add_stream_options(OptionList&) {}
  virtual std::unique_ptr<FrameAnalyzer> analyzer(bool /*maps*/) const { return nullptr; }
  // Whether folders are searched for scans, too: DICOM files, whatever they are called, and NIfTI.
  virtual bool takes_scans() const { return false; }
  // What of the files is one input: a page, a frame, a series of files.
  virtual InputMapping mapping() const { return {}; }
  // From the frame's input to its answer; then what writes the answer to the frame's output, whose file comes last, so that where it is
  // all the others are.
  virtual std::vector<StageSpec> stages(const Jobs& jobs) = 0;
  virtual std::vector<StageSpec> save_stages(const Jobs& jobs) = 0;
  // Inputs that go through the stages together, for networks that run them as one batch.
  virtual std::size_t group() const { return 1; }

  // Error where an answer of an earlier run cannot be read any more: it is made again. Only asked for files that are there.
  virtual void check_answer(const std::filesystem::path& /*output*/) const {}

  // An answer on standard output, for operations that have a short one; others need a folder.
  virtual bool answers_in_text() const { return false; }
  virtual std::string text(const Frame&) const { return {}; }
  virtual nlohmann::ordered_json json(const Frame&) const { return {}; }

  // Tables over the ledger's present() records, written into the folder; gives them. `complete`: no file is left.
  virtual std::vector<std::filesystem::path> finish(const std::filesystem::path& /*out*/, const Ledger&, bool /*complete*/) {
    return {};
  }
  virtual ReportParts report() const = 0;
  virtual bool always_reports() const { return false; }
  // An <article> about one file that is done. Called by several threads; what cannot be read any more is said in its place.
  virtual std::string article(const std::filesystem::path& out, const Record& record) const = 0;
  // Names and values about the model, for people, in the order in which to show them.
  virtual std::vector<std::pair<std::string, std::string>> facts() const;

  // "upscaled 2x": what was done to the images, behind their number and in front of the model's name.
  virtual std::string done_text() const = 0;
  virtual void add_to_summary(nlohmann::ordered_json&) const {}
  virtual std::vector<std::string> summary_lines() const { return {}; }
};

}  // namespace fovea
