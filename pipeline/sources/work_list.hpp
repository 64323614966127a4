// Which input becomes which output: decided, and found free of conflicts, before any work.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "pipeline/sources/alias.hpp"
#include "pipeline/sources/inputs.hpp"

namespace fovea {

struct WorkItem {
  Input input;
  std::filesystem::path
      output;  // with the output folder in front; empty for a folder that could not be read, and for what is skipped
  std::filesystem::path relative;  // the same, below the output folder
};

// The name of an output below the output folder. `format`: png, jpg, tif, bmp, webp, or "same" (an unknown extension gets .png);
// "+json" appends instead, so that a.jpg and a.png do not meet in one name. A part of a file names itself: "scan.page2.png".
// What grows too long for a file system is shortened (output_names.hpp).
std::filesystem::path output_name(const std::filesystem::path& relative, const std::string& format, const std::string& part = {});
// The format that an output's extension stands for.
std::string format_of(const std::filesystem::path& output);

// What of the files that were found is one input.
struct InputMapping {
  // The inputs that one file holds, in order, each with its `part`; empty: the file is one input. An Error says why it cannot be read.
  std::function<std::vector<Input>(const Input&)> parts = {};
  // Files of one name are one input, called and placed so: "study/series3"; a file that no other shares its name with keeps its own. Empty: each
  // file for itself. All inputs are held in memory then.
  std::function<std::string(const Input&)> group = {};
  // What inputs are called instead, in outputs, ledger, tables and messages; null: by their paths.
  std::shared_ptr<Aliases> aliases = nullptr;
};

class WorkList {
 public:
  // Walks all inputs once. Error, naming both, when two inputs would become one output, or when an output would replace an input.
  // The same file given twice is done once.
  WorkList(Inputs inputs, std::filesystem::path output, std::string format, InputMapping mapping = {});

  std::size_t count() const { return count_; }  // without those that are skipped
  std::size_t skipped() const { return skipped_; }
  const std::string& first_skipped() const { return first_skipped_; }
  const std::set<std::filesystem::path>& folders() const { return folders_; }  // that outputs go to
  const Aliases* aliases() const { return mapping_.aliases.get(); }
  std::optional<WorkItem> next();
  void rewind();

 private:
  std::optional<WorkItem> read();
  std::optional<Input> next_input();
  void collect_groups();
  void scan();
  void refuse_conflicts(const std::vector<std::uint64_t>& shared_outputs, const std::vector<std::uint64_t>& replaced);

  Inputs inputs_;
  std::filesystem::path output_;
  std::string format_;
  InputMapping mapping_;
  std::vector<Input> groups_;  // all inputs, where files are grouped
  std::size_t at_group_ = 0;
  std::deque<Input> parts_;  // of the last file, those that were not given yet
  std::size_t count_ = 0, skipped_ = 0;
  std::string first_skipped_;
  std::set<std::filesystem::path> folders_;
  std::unordered_set<std::string> given_twice_, passed_;
};

}  // namespace fovea
