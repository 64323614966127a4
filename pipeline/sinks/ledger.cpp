#include "pipeline/sinks/ledger.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <system_error>

#include "modules/core/fingerprint.hpp"
#include "modules/io/files.hpp"
#include "modules/io/json.hpp"
#include "pipeline/errors.hpp"
#include "pipeline/sinks/ledger_json.hpp"
#include "pipeline/sources/walk.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLongestLine = std::size_t{1} << 20;

// An output keeps its record when only its extension changes: another format replaces it.
std::string key_of(const std::string& input, const std::string& part, const std::string& output) {
  return input + '\0' + part + '\0' + fs::path(output).replace_extension().string();
}
std::string key_of(const Record& record) { return key_of(record.input, record.part, record.output); }

std::int64_t nanoseconds(const timespec& t) { return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec; }

std::string settings_line(const std::string& id, const nlohmann::json& settings) {
  Json line;
  line["settings"] = id;
  line["of"] = settings;
  return dump(line);
}

}  // namespace

FileStamp FileStamp::of(const fs::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return {};
  return {info.st_size, nanoseconds(info.st_mtim), nanoseconds(info.st_ctim)};
}

FileStamp FileStamp::of(const std::vector<fs::path>& files) {
  FileStamp all{0, 0, 0};
  for (const fs::path& file : files) {
    const FileStamp one = of(file);
    if (one.size < 0) return {};
    all = {all.size + one.size, std::max(all.modified, one.modified), std::max(all.changed, one.changed)};
  }
  return all;
}

Ledger::Ledger(fs::path folder) : folder_(std::move(folder)), file_(folder_ / kLedgerName) {
  fd_ = ::open(file_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd_ < 0) cannot_write(errno);
  read();
}

Ledger::~Ledger() { ::close(fd_); }

void Ledger::cannot_write(int error) const {
  throw EnvironmentError(file_.string() + ": cannot write the ledger: " + std::generic_category().message(error));
}

void Ledger::read_line(const std::string& text, int number) {
  const JsonValue json =
      JsonValue::parse(text, file_.string() + ":" + std::to_string(number), {.bytes = kLongestLine, .depth = 16});
  if (json.has("of")) {
    settings_[json.at("settings").text()] = json.at("of").raw();
  } else {
    Record record = record_from(json);
    std::string key = key_of(record);
    records_[std::move(key)] = std::move(record);
  }
}

void Ledger::read() {
  std::ifstream in(file_, std::ios::binary);
  std::int64_t whole = 0, bytes = 0;
  int number = 0;
  for (std::string text; next_line(in, text, bytes, kLongestLine);) {
    whole += bytes;
    ++number;
    // A line that cannot be read is as good as none: its file is done again.
    try {
      read_line(text, number);
    } catch (const Error& e) {
      if (damaged_++ == 0) first_damage_ = e.what();
    }
  }
  // What is left without a newline is the line at which a run was killed: the next line must not be joined to it.
  struct stat info {};
  if (::fstat(fd_, &info) == 0 && info.st_size > whole)
    if (::ftruncate(fd_, whole) != 0) cannot_write(errno);
}

void Ledger::write_line(const std::string& line) {
  struct stat info {};
  if (::fstat(fd_, &info) != 0) cannot_write(errno);
  const std::string text = line + '\n';
  const ssize_t written = ::write(fd_, text.data(), text.size());
  if (written == static_cast<ssize_t>(text.size())) return;
  const int error = written < 0 ? errno : ENOSPC;
  // Half a line would spoil the one after it.
  if (::ftruncate(fd_, info.st_size) != 0) cannot_write(errno);
  cannot_write(error);
}

std::string Ledger::use(const nlohmann::json& settings) {
  const std::string id = fingerprint(settings.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  if (settings_.emplace(id, settings).second) write_line(settings_line(id, settings));
  return id;
}

const Record* Ledger::find(const std::string& input, const std::string& output, const std::string& part) const {
  const auto found = records_.find(key_of(input, part, output));
  return found == records_.end() ? nullptr : &found->second;
}

bool Ledger::up_to_date(const Record& record, const FileStamp& now, const std::string& settings) const {
  if (record.settings != settings) return false;
  // A quarantined file is tried again also when its permissions changed.
  if (record.state == Record::State::quarantined) return record.stamp == now;
  if (!record.stamp.same_content(now)) return false;
  std::error_code ignored;
  for (const std::string& name : record.beside)
    if (!fs::exists(folder_ / name, ignored)) return false;
  if (!fs::is_regular_file(folder_ / record.output, ignored)) return false;
  try {
    if (check_) check_(folder_ / record.output);
    return true;
  } catch (const Error&) { return false; }
}

std::string Ledger::damage() const {
  if (damaged_ == 0) return {};
  return std::to_string(damaged_) + (damaged_ == 1 ? " line of the ledger cannot" : " lines of the ledger cannot") +
         " be read and count as absent, what they were about is done again; the first: " + first_damage_;
}

void Ledger::append(Record record) {
  write_line(to_line(record));
  std::string key = key_of(record);
  records_[std::move(key)] = std::move(record);
}

void Ledger::forget_unreadable_folders() {
  std::erase_if(records_, [](const auto& entry) { return entry.second.output.empty(); });
}

void Ledger::compact() {
  std::string text;
  std::map<std::string, bool> used;
  for (const auto& [key, record] : records_) used[record.settings] = true;
  std::erase_if(settings_, [&](const auto& entry) { return !used.contains(entry.first); });
  for (const auto& [id, settings] : settings_) text += settings_line(id, settings) + '\n';
  for (const auto& [key, record] : records_) text += to_line(record) + '\n';
  try {
    write_file_atomically(file_, text.data(), text.size());
  } catch (const FileError& e) { throw EnvironmentError(e.what()); }
  const int fresh = ::open(file_.c_str(), O_RDWR | O_APPEND | O_CLOEXEC);
  if (fresh < 0) cannot_write(errno);
  ::close(fd_);
  fd_ = fresh;
}

}  // namespace fovea
