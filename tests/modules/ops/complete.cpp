// Every function that a header of modules/ops/ or the losses' header offers is checked by the harness: the text of the tests
// must name it in a check_op call.
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "tests/support/catch.hpp"
#include "tests/support/shared.hpp"

namespace fs = std::filesystem;

namespace {

// Headers that ops share.
const std::set<std::string> kWithoutOps{"activation.hpp", "conv2d_naive.hpp", "deform_conv2d_naive.hpp", "key_pattern.hpp",
                                        "ties.hpp"};
// As many as there are, so that a change of how they are declared does not leave this test without any.
constexpr std::size_t kOps = 91;

std::string read(const fs::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::set<std::string> all_matches(const std::string& text, const std::regex& pattern) {
  std::set<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) found.insert((*it)[1]);
  return found;
}

}  // namespace

TEST_CASE("every op has a check") {
  const fs::path root = fovea::test::source_folder();
  std::set<std::string> checked;
  for (const char* folder : {"tests/modules/ops", "tests/modules/nn"})
    for (const auto& file : fs::directory_iterator(root / folder)) {
      const std::string text = read(file.path());
      checked.merge(all_matches(text, std::regex(R"re(check_op\(\s*"(\w+)")re")));
      if (text.find("check_op(name") != std::string::npos) checked.merge(all_matches(text, std::regex(R"re(\{"(\w+)", )re")));
    }
  std::vector<fs::path> headers{root / "modules/nn/losses.hpp"};
  for (const auto& file : fs::directory_iterator(root / "modules/ops"))
    if (file.path().extension() == ".hpp") headers.push_back(file.path());
  std::set<std::string> found;
  for (const auto& header : headers) {
    const auto names = all_matches(read(header), std::regex(R"re(\n(?:inline )?Vars? (\w+)\()re"));
    INFO(header.filename().string() << " offers no op that this test can see");
    CHECK(names.empty() == (kWithoutOps.count(header.filename().string()) == 1));
    for (const std::string& name : names) {
      INFO(header.filename().string() << ": " << name << " has no check_op(\"" << name << "\", ...) under tests/modules");
      CHECK(checked.count(name) == 1);
      found.insert(name);
    }
  }
  CHECK(found.size() >= kOps);
}
