// The file that knows whose an alias is: made once, read again, refused when it is damaged.
#include "pipeline/sources/key_file.hpp"

#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"

using namespace fovea;
using namespace fovea::test;
namespace fs = std::filesystem;

namespace {

std::string text_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}
void write(const fs::path& file, const std::string& text) { std::ofstream(file, std::ios::binary) << text; }

Input input(const std::string& file, std::vector<fs::path> members = {}) {
  Input i;
  i.source = file, i.file = members.empty() ? fs::path(file) : members[0], i.relative = fs::path(file).filename();
  i.members = std::move(members);
  return i;
}

unsigned mode_of(const fs::path& file) {
  struct stat info {};
  REQUIRE(::stat(file.c_str(), &info) == 0);
  return info.st_mode & 0777;
}

}  // namespace

TEST_CASE("key file: the same aliases in the next run, others with another key", "[pipeline]") {
  const Folder folder;
  const fs::path file = folder / "deep/key.jsonl";
  std::string id, group, print;
  {
    KeyFile key(file);
    id = key.of(input("/data/jane.png"));
    group = key.of(input("/data/series-1", {"/data/IM1", "/data/IM0"}));
    print = key.fingerprint();
    CHECK(id.size() == 16);
    CHECK(key.of(fs::path("/data/jane.png")) == id);
    CHECK(key.of(fs::path("/data/x/../jane.png")) == id);
    CHECK(key.sealed(1000) == key.sealed(1000));
    CHECK(key.sealed(1000) != key.sealed(1001));
    CHECK(key.sealed(1000) >= 0);
  }
  CHECK(mode_of(file) == 0600);
  const std::string before = text_of(file);
  KeyFile again(file);
  CHECK(again.of(input("/data/jane.png")) == id);
  CHECK(again.of(input("/data/series-1", {"/data/IM1", "/data/IM0"})) == group);
  CHECK(again.fingerprint() == print);
  CHECK(text_of(file) == before);  // nothing is noted twice
  for (const char* name : {"/data/jane.png", "/data/series-1", "/data/IM0", "/data/IM1"})
    CHECK(before.find(std::string("\"") + name + "\"") != std::string::npos);
  KeyFile other(folder / "other.jsonl");
  CHECK(other.of(input("/data/jane.png")) != id);
  CHECK(other.fingerprint() != print);
}

TEST_CASE("key file: names of any bytes; what others may read is closed to them; what a killed run left is dropped",
          "[pipeline]") {
  const Folder folder;
  const fs::path file = folder / "key.jsonl";
  const std::string odd = "/data/\xff\n\"name\".png";
  std::string id;
  {
    KeyFile key(file);
    id = key.of(input(odd));
  }
  const std::string whole = text_of(file);
  write(file, whole + "{\"id\": \"12");
  fs::permissions(file, fs::perms::owner_all | fs::perms::others_read);
  {
    KeyFile key(file);
    CHECK(key.of(input(odd)) == id);
  }
  CHECK(mode_of(file) == 0600);
  CHECK(text_of(file) == whole);
}

TEST_CASE("key file: a damaged one is refused with a sentence", "[pipeline]") {
  const Folder folder;
  const fs::path file = folder / "key.jsonl";
  {
    KeyFile key(file);
    key.of(input("/data/jane.png"));
  }
  const std::string whole = text_of(file);
  const auto changed = [&](const std::string& what, const std::string& by) {
    std::string text = whole;
    text.replace(text.find(what), what.size(), by);
    return text;
  };
  std::string other_secret = whole;
  char& digit = other_secret[whole.find("\"secret\":\"") + 10];
  digit = digit == '0' ? '1' : '0';
  for (const std::string& text : {std::string(), whole.substr(0, 30), std::string("no key\n"), changed("jane", "june"),
                                  other_secret, changed("\"id\"", "\"ID\""), "{}\n" + whole, changed("\n", "\n\n")}) {
    INFO(text);
    write(file, text);
    CHECK(fails_with([&] { KeyFile key(file); }, "the key file is damaged"));
    CHECK(text_of(file) == text);
  }
}

TEST_CASE("key file: beside the folder for the results, never in it", "[pipeline]") {
  const Folder folder;
  fs::create_directories(folder / "out/deep");
  fs::create_directory_symlink(folder / "out/deep", folder / "link");
  const fs::path out = folder / "out", real = fs::canonical(folder.path());
  CHECK(key_file_of(out, "") == real / "out.key.jsonl");
  CHECK(key_file_of(out / "", "") == real / "out.key.jsonl");
  CHECK(key_file_of(out / "deep/..", "") == real / "out.key.jsonl");
  CHECK(key_file_of(folder / "new", "") == real / "new.key.jsonl");
  CHECK(key_file_of(out, (folder / "outer.jsonl").string()) == real / "outer.jsonl");
  for (const char* inside : {"out/key.jsonl", "out/deep/key.jsonl", "link/key.jsonl", "elsewhere/../out/key.jsonl"})
    CHECK(fails_with([&] { key_file_of(out, (folder / inside).string()); }, "would lie in the folder for the results"));
  CHECK(fails_with([&] { key_file_of(folder / "new", out.string()); }, "this is a folder"));
}

TEST_CASE("aliases: stand for paths and names in texts, where these are whole words", "[pipeline]") {
  const std::vector<fs::path> files{"/data/doe/IM10", "/data/doe/IM1"};
  CHECK(with_alias("/data/doe/IM1: truncated", files, "x") == "x: truncated");
  CHECK(with_alias("cannot open \"/data/doe\"", files, "x") == "cannot open \"x\"");
  CHECK(with_alias("IM10 and IM1, not IM100", files, "x") == "x and x, not IM100");
  CHECK(with_alias("jane.png, jane", {"in/jane.png"}, "x") == "x, x");
  CHECK(with_alias("expected 1 picture", {"a/1"}, "x") == "expected 1 picture");  // too short to tell anything
  CHECK(with_alias("", files, "x").empty());
}
