#include "pipeline/sources/key_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "datasets/video/address.hpp"
#include "modules/io/files.hpp"
#include "pipeline/errors.hpp"
#include "pipeline/sinks/ledger_json.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kSecret = 32;  // bytes
constexpr std::size_t kLongestLine = std::size_t{1} << 20;

[[noreturn]] void cannot(const fs::path& file, const char* what, int error) {
  throw EnvironmentError(file.string() + ": cannot " + what + " the key file: " + std::generic_category().message(error));
}

// Two runs may share a key: each line is written by one alone. Where the file system knows no locks, they are on their own.
class Locked {
 public:
  explicit Locked(int fd) : fd_(fd) { ::flock(fd_, LOCK_EX); }
  ~Locked() { ::flock(fd_, LOCK_UN); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  int fd_;
};

std::string first_line(const std::string& secret) {
  Json json;
  json["fovea_key"] = 1;
  json["secret"] = hexadecimal(secret);
  json["check"] = Pseudonyms(secret).id("check", "");
  return dump(json) + '\n';
}

std::string bytes_of(const std::string& digits) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return bytes;
}

std::string full_name(const fs::path& file) {
  return is_address(file.string()) ? file.string() : fs::absolute(file).lexically_normal().string();
}

[[noreturn]] void damaged(const fs::path& file, const std::string& why) {
  fail(file.string(), ": the key file is damaged (", why,
       "): put back a copy of it, or remove it to begin anew with other names in another folder");
}

}  // namespace

fs::path key_file_of(const fs::path& out, const std::string& said) {
  fs::path folder = fs::weakly_canonical(fs::absolute(out));
  if (!folder.has_filename()) folder = folder.parent_path();  // "out/"
  const fs::path file = said.empty() ? folder.parent_path() / (folder.filename().string() + ".key.jsonl")
                                     : fs::weakly_canonical(fs::absolute(said));
  const auto inside = std::mismatch(folder.begin(), folder.end(), file.begin(), file.end()).first == folder.end();
  check(!inside, "--key-file ", file.string(),
        ": it would lie in the folder for the results, and tell whose they are: choose another place");
  check(!fs::is_directory(file), "--key-file ", file.string(), ": expected a file, this is a folder");
  return file;
}

KeyFile::KeyFile(fs::path file) : file_(std::move(file)), pseudonyms_("") {
  std::error_code error;
  fs::create_directories(file_.parent_path(), error);
  constexpr int kFlags = O_RDWR | O_APPEND | O_CLOEXEC;
  opened_.reset(::open(file_.c_str(), kFlags | O_CREAT | O_EXCL, S_IRUSR | S_IWUSR));
  const bool fresh = static_cast<bool>(opened_);
  if (!fresh) opened_.reset(::open(file_.c_str(), kFlags));
  if (!opened_) cannot(file_, "open", errno);
  const Locked locked(opened_.get());
  if (fresh) begin();
  else read();
}

void KeyFile::begin() {
  const std::string secret = random_bytes(kSecret);
  append(first_line(secret));
  if (::fsync(opened_.get()) != 0 && errno != EINVAL) cannot(file_, "write", errno);
  pseudonyms_ = Pseudonyms(secret);
}

void KeyFile::read() {
  struct stat info {};
  if (::fstat(opened_.get(), &info) != 0) cannot(file_, "read", errno);
  check(S_ISREG(info.st_mode), "--key-file ", file_.string(), ": expected a file");
  if ((info.st_mode & 077) != 0 && ::fchmod(opened_.get(), S_IRUSR | S_IWUSR) != 0)
    cannot(file_, "keep others from reading", errno);
  const std::vector<std::uint8_t> bytes = read_file(file_);
  if (bytes.empty()) damaged(file_, "it is empty");
  std::size_t number = 0;
  auto at = bytes.begin();
  for (auto end = at; (end = std::find(at, bytes.end(), '\n')) != bytes.end(); at = end + 1)
    read_line(std::string(at, end), ++number);
  if (number == 0) damaged(file_, "its first line has no end");
  // The line at which a run was killed.
  if (at != bytes.end() && ::ftruncate(opened_.get(), at - bytes.begin()) != 0) cannot(file_, "write", errno);
}

void KeyFile::read_line(const std::string& text, std::size_t number) {
  const std::string where = "line " + std::to_string(number);
  std::string id, name, group;
  try {
    const JsonValue json = JsonValue::parse(text, where, {.bytes = kLongestLine, .depth = 4});
    if (number == 1) {
      name = bytes_of(json.at("secret").text());
    } else {
      id = json.at("id").text(), name = get_name(json, "name");
      if (json.has("of")) group = json.at("of").text();
    }
  } catch (const std::exception& e) { damaged(file_, e.what()); }
  if (number == 1) {
    if (text + '\n' != first_line(name)) damaged(file_, where + " holds another secret than its check says");
    pseudonyms_ = Pseudonyms(name);
    return;
  }
  if (id != pseudonyms_.id("file", name)) damaged(file_, where + " holds another name than its id says");
  known_.insert(id + group);
}

void KeyFile::append(const std::string& text) const {
  struct stat before {};
  if (::fstat(opened_.get(), &before) != 0) cannot(file_, "write", errno);
  const ssize_t written = ::write(opened_.get(), text.data(), text.size());
  if (written == static_cast<ssize_t>(text.size())) return;
  const int error = written < 0 ? errno : ENOSPC;
  if (::ftruncate(opened_.get(), before.st_size) != 0) cannot(file_, "write", errno);
  cannot(file_, "write", error);
}

std::string KeyFile::fingerprint() const { return pseudonyms_.id("key", ""); }

std::string KeyFile::of(const fs::path& file) const { return pseudonyms_.id("file", full_name(file)); }

std::int64_t KeyFile::sealed(std::int64_t time) const {
  constexpr std::size_t kDigits = 13;  // 52 bits: a number that all readers of JSON hold
  return std::stoll(pseudonyms_.id("time", std::to_string(time)).substr(0, kDigits), nullptr, 16);
}

std::string KeyFile::of(const Input& input) {
  if (input.members.empty()) {
    std::string id = of(input.file);
    note(id, full_name(input.file), {});
    return id;
  }
  const fs::path group = input.file.parent_path() / input.relative.filename();
  std::string id = of(group);
  note(id, full_name(group), {});
  for (const fs::path& member : input.members) note(of(member), full_name(member), id);
  return id;
}

void KeyFile::note(const std::string& id, const std::string& name, const std::string& group) {
  if (!known_.insert(id + group).second) return;
  Json json;
  json["id"] = id;
  put_name(json, "name", name);
  if (!group.empty()) json["of"] = group;
  const Locked locked(opened_.get());
  append(dump(json) + '\n');
}

}  // namespace fovea
