#include "pipeline/sinks/ledger.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include "datasets/walk.hpp"
#include "modules/core/error.hpp"
#include "pipeline/sinks/folder_lock.hpp"
#include "pipeline/sinks/ledger_json.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/unheard.hpp"

using namespace fovea;
namespace fs = std::filesystem;
using test::Folder;

namespace {

std::string text_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

Record record(const std::string& input, const std::string& output, const std::string& settings,
              Record::State state = Record::State::done) {
  Record r;
  r.input = input;
  r.output = output;
  r.settings = settings;
  r.state = state;
  r.stamp = {10, 20, 30};
  return r;
}

}  // namespace

TEST_CASE("records come back as they were, whatever the names", "[pipeline]") {
  Record r = record("/in/\xff\xfe\n\"夜\".png", "\xff.png", "s", Record::State::quarantined);
  r.reason = "damaged \xff";
  r.seconds = 1.25;
  r.notes = {"the first of 3 pages is read"};
  r.beside = {"a", "\xfe"};
  const std::string line = to_line(r);
  CHECK(line.find('\n') == std::string::npos);
  const Record back = record_from(JsonValue::parse(line, "ledger"));
  CHECK((back.input == r.input && back.output == r.output && back.state == r.state && back.stamp == r.stamp));
  CHECK((back.settings == r.settings && back.seconds == r.seconds && back.notes == r.notes && back.beside == r.beside));
}

TEST_CASE("a ledger that was not closed properly goes on", "[pipeline]") {
  Folder dir;
  const fs::path file = dir / kLedgerName;
  std::string id;
  {
    Ledger ledger(dir.path());
    id = ledger.use({{"scale", 2}});
    ledger.append(record("/b", "b", id));
    ledger.append(record("/a", "a", id));
  }
  std::ofstream(file, std::ios::app) << R"({"input":"/c","outp)";  // killed while writing
  {
    Ledger ledger(dir.path());
    CHECK(ledger.records().size() == 2);
    CHECK(ledger.use({{"scale", 2}}) == id);
    CHECK(ledger.use({{"scale", 3}}) != id);
    ledger.append(record("/c", "c", id));
  }
  std::ofstream(file, std::ios::app) << "not json\n[1]\n{\"input\":3}\n";
  Ledger ledger(dir.path());
  CHECK(ledger.records().size() == 3);
  ledger.compact();
  const std::string first = text_of(file);
  CHECK(first.find("not json") == std::string::npos);
  CHECK(first.find("\"scale\":3") == std::string::npos);  // settings that no record has are gone
  CHECK(first.find("/a") < first.find("/b"));
  ledger.append(record("/d", "d", id));  // goes on after compaction
  CHECK(Ledger(dir.path()).records().size() == 4);
  CHECK(ledger.damage().find("3 lines of the ledger cannot be read") == 0);
  CHECK(Ledger(dir.path()).damage().empty());
}

TEST_CASE("a record that is not whole is an error with its key", "[pipeline]") {
  const auto whole = nlohmann::json::parse(to_line(record("/a", "a", "s")));
  const auto refused = [&](const char* key, const nlohmann::json& value, const std::string& message) {
    auto changed = whole;
    if (value.is_discarded()) changed.erase(key);
    else changed[key] = value;
    return test::fails_with([&] { record_from(JsonValue(changed, "ledger:7")); }, "ledger:7: " + message);
  };
  const nlohmann::json none(nlohmann::json::value_t::discarded);
  for (const char* key : {"input", "output", "state", "size", "modified_ns", "changed_ns", "settings"})
    CHECK(refused(key, none, std::string("\"") + key + "\" is missing"));
  CHECK(refused("state", "finished", "state: expected \"done\", \"skipped\" or \"quarantined\""));
  CHECK(refused("size", 1.5, "size: expected a whole number"));
  CHECK(refused("size", "1", "size: expected a whole number"));
  CHECK(refused("beside", nlohmann::json::object(), "beside: expected a list"));
  CHECK(refused("notes", nlohmann::json::array({3}), "notes[0]: expected text"));
  CHECK(refused("beside", nlohmann::json::array({3}), "beside[0]: expected an object with \"file\""));
  CHECK(refused("input_hex", "2f6", "input_hex: expected pairs of hexadecimal digits"));
  CHECK(refused("input_hex", "zz", "input_hex: expected pairs of hexadecimal digits"));
}

TEST_CASE("an output is of the input that it was made from last", "[pipeline]") {
  Folder dir;
  Ledger ledger(dir.path());
  const std::string id = ledger.use({{"x", 1}});
  ledger.append(record("/one/a.png", "a.png", id));
  ledger.append(record("/two/a.png", "a.png", id));
  CHECK_FALSE(ledger.find("/one/a.png", "a.png"));
  CHECK(ledger.find("/two/a.png", "a.png"));
  CHECK_FALSE(Ledger(dir.path()).find("/one/a.png", "a.png"));
  ledger.append(record("/three/a.png", "a.png", id, Record::State::quarantined));  // wrote nothing
  CHECK(ledger.find("/two/a.png", "a.png"));
}

TEST_CASE("compaction does not depend on the order of work", "[pipeline]") {
  Folder one, two;
  Ledger a(one.path()), b(two.path());
  const std::string id = a.use({{"x", 1}});
  b.use({{"y", 2}});
  b.use({{"x", 1}});
  for (const char* name : {"/1", "/2", "/3"}) a.append(record(name, name + 1, id));
  for (const char* name : {"/3", "/1", "/2", "/1"}) b.append(record(name, name + 1, id));
  a.compact();
  b.compact();
  CHECK(text_of(a.file()) == text_of(b.file()));
}

TEST_CASE("what changed is not up to date", "[pipeline]") {
  Folder dir;
  std::ofstream(dir / "o.png") << "x";
  std::ofstream(dir / "o.png.map.npy") << "x";
  Ledger ledger(dir.path());
  const std::string id = ledger.use({{"scale", 2}});
  Record r = record("/i.png", "o.png", id);
  r.beside = {"o.png.map.npy"};
  ledger.append(r);
  const Record* found = ledger.find("/i.png", "o.jpg");  // another format is the same file's record
  REQUIRE(found);
  CHECK_FALSE(ledger.find("/i.png", "sub/o.png"));
  const FileStamp same{10, 20, 99};
  CHECK(ledger.up_to_date(*found, same, id));  // new permissions are not new content
  CHECK_FALSE(ledger.up_to_date(*found, {11, 20, 30}, id));
  CHECK_FALSE(ledger.up_to_date(*found, {10, 21, 30}, id));
  CHECK_FALSE(ledger.up_to_date(*found, same, "other"));
  fs::remove(dir / "o.png.map.npy");
  CHECK_FALSE(ledger.up_to_date(*found, same, id));

  const Record bad = record("/bad.png", "bad.png", id, Record::State::quarantined);
  CHECK(ledger.up_to_date(bad, {10, 20, 30}, id));
  CHECK_FALSE(ledger.up_to_date(bad, {10, 20, 31}, id));  // permissions changed: try again
}

TEST_CASE("one run at a time, and a killed run lets go", "[pipeline]") {
  Folder dir;
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const FolderLock lock(dir.path(), test::unheard);
    (void)!::write(ready[1], "x", 1);
    ::pause();
    ::_exit(0);
  }
  char byte;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  CHECK_THROWS_AS(FolderLock(dir.path(), test::unheard), FolderBusy);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK_NOTHROW(FolderLock(dir.path(), test::unheard));
  CHECK_THROWS_WITH(FolderLock(dir / "missing", test::unheard),
                    Catch::Matchers::ContainsSubstring("cannot open the output folder"));
}

TEST_CASE("only our own temporary files are removed", "[pipeline]") {
  Folder dir;
  for (const char* name : {".fovea-123-4.tmp", ".fovea-1-0.tmp", ".fovea-notes.tmp", "fovea-1-1.tmp", ".fovea-.tmp", "a.tmp"})
    std::ofstream(dir / name) << "x";
  fs::create_directory(dir / ".fovea-9-9.tmp");
  // What one output has several files in, and somebody else's folders in there.
  fs::create_directories(dir / "a.overlays/deep");
  for (const char* name : {"a.overlays/.fovea-7-7.tmp", "a.overlays/0001.png", "a.overlays/deep/.fovea-8-8.tmp"})
    std::ofstream(dir / name) << "x";
  CHECK(remove_stale_temporaries(dir.path()) == 3);
  CHECK(dir.entries() == 6);
  CHECK_FALSE(fs::exists(dir / "a.overlays/.fovea-7-7.tmp"));
  CHECK(fs::exists(dir / "a.overlays/deep/.fovea-8-8.tmp"));
  CHECK(remove_stale_temporaries(dir / "missing") == 0);
}
