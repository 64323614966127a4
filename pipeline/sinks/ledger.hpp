// What became of every input: a JSONL file in the output folder that makes a rerun do only what is left.
//
// While a run goes on, lines are appended, each with one write: a killed run loses at most the line being written, and that
// file is done again. When a run ends, the lines are put in order (settings, then records by input) and replaced as a whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace fovea {

// How a file looked when it was read. Contents are not hashed: reading everything again would cost what a rerun saves.
struct FileStamp {
  std::int64_t size = -1;     // -1: there is no such file
  std::int64_t modified = 0;  // nanoseconds since 1970
  std::int64_t changed = 0;   // the same of its permissions and name
  static FileStamp of(const std::filesystem::path& file);
  static FileStamp of(
      const std::vector<std::filesystem::path>& files);  // sum of the sizes, latest times; -1 where one is missing
  bool same_content(const FileStamp& o) const { return size == o.size && modified == o.modified; }
  bool operator==(const FileStamp&) const = default;
};

struct Record {
  enum class State { done, quarantined, skipped };  // skipped: of a format that is not read

  std::string input;   // absolute path, bytes
  std::string part;    // of it, where a file holds several inputs
  std::string output;  // below the output folder; empty for a folder that could not be read, and for what is skipped
  State state = State::done;
  std::string reason;  // of a quarantine, or why it is skipped
  FileStamp stamp;
  std::string settings;  // fingerprint, see Ledger::use
  double seconds = 0;
  std::vector<std::string> notes;   // what people should know of the input, though it was read
  std::vector<std::string> beside;  // further files written, below the output folder
  bool present = false;             // of this run's inputs and settings; not written
};

class Ledger {
 public:
  // Reads what is there; a line that was not written to its end is dropped. The folder must exist and be locked by the caller.
  explicit Ledger(std::filesystem::path folder);
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  // Names the settings of this run; gives their fingerprint. Equal settings have equal fingerprints.
  std::string use(const nlohmann::json& settings);

  // The record of an input that becomes that output, whatever the output's extension; nullptr if there is none.
  const Record* find(const std::string& input, const std::string& output, const std::string& part = {}) const;
  // Whether nothing needs to be done again: same content, same settings, and what was written is still there.
  bool up_to_date(const Record& record, const FileStamp& now, const std::string& settings) const;

  // Counts a record among those of this run, as append() does.
  void keep(const Record& record);
  // What this run's inputs became under its settings, now or in a former run, in order: what tables and pages are made of.
  std::vector<const Record*> present(Record::State state) const;
  // What the folder holds beside that.
  struct Others {
    std::size_t settings = 0;  // made by another model or with other settings
    std::size_t inputs = 0;    // of inputs that this run was not given, or did not reach
  };
  Others others(const std::string& settings) const;

  // up_to_date() calls it for a written answer, which is made again where it throws an Error; without it, being there is enough.
  void check_answers_by(std::function<void(const std::filesystem::path& output)> check) { check_ = std::move(check); }

  // What to tell people of lines that could not be read; empty where all could.
  std::string damage() const;

  // A record of another input with the same output is forgotten: its answer is gone.
  void append(Record record);  // EnvironmentError when the line cannot be written; the file is then as before
  // Forgets what has no output: folders that can be read again, files that are skipped. The run lists them anew.
  void forget_without_output();
  // Puts the lines in order, in one atomic step.
  void compact();

  const std::map<std::string, Record>& records() const { return records_; }  // by input, part, output
  const std::map<std::string, nlohmann::json>& settings() const { return settings_; }
  const std::filesystem::path& file() const { return file_; }

 private:
  void read();
  void put(Record record);
  void read_line(const std::string& text, int number);
  [[noreturn]] void cannot_write(int error) const;
  void write_line(const std::string& line);

  std::filesystem::path folder_, file_;
  int fd_ = -1;
  std::map<std::string, Record> records_;
  std::map<std::string, std::string> by_output_;  // key of the record that an output is of
  std::map<std::string, nlohmann::json> settings_;
  std::function<void(const std::filesystem::path&)> check_;
  std::size_t damaged_ = 0;
  std::string first_damage_;
};

}  // namespace fovea
