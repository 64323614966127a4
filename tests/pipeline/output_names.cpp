#include "pipeline/output_names.hpp"

#include <set>

#include "pipeline/sources/work_list.hpp"
#include "tests/support/catch.hpp"

using namespace fovea;
namespace fs = std::filesystem;

TEST_CASE("names that grow too long are shortened, and stay different", "[pipeline]") {
  const std::string fits(251, 'n');
  CHECK(fitting("a/" + fits + ".png") == fs::path("a/" + fits + ".png"));
  CHECK(fitting("a.png") == "a.png");
  std::set<std::string> names;
  for (const std::string& stem : {fits, fits.substr(1) + "m", "m" + fits.substr(1), fits + "n"}) {
    const fs::path made = fitting("sub/" + stem + ".jpg.json");
    CHECK(made.parent_path() == "sub");
    CHECK(made.filename().string().size() <= 255);
    CHECK(made.string().ends_with(".jpg.json"));
    CHECK(made == fitting("sub/" + stem + ".jpg.json"));
    names.insert(made.string());
  }
  CHECK(names.size() == 4);
  // Another format of the same output differs in its ending alone.
  CHECK(fitting(std::string(300, 'n') + ".png").stem() == fitting(std::string(300, 'n') + ".webp").stem());
  // No character is cut.
  for (int shift = 0; shift < 3; ++shift) {
    std::string name(static_cast<std::size_t>(shift), 'x');
    for (int i = 0; i < 100; ++i) name += "夜";
    const std::string made = fitting(name + ".json").string();
    const std::size_t kept = made.find('~');
    CHECK((kept - static_cast<std::size_t>(shift)) % 3 == 0);
    CHECK(made.size() <= 255);
  }
  CHECK(fitting(std::string(300, 'n')).string().size() <= 255);
  CHECK(fitting("a." + std::string(300, 'n')).string().size() <= 255);
}

TEST_CASE("outputs have names that fit", "[pipeline]") {
  const std::string longest = std::string(251, 'n') + ".jpg";
  CHECK(output_name(longest, "same") == fs::path(longest));
  for (const char* format : {"png", "webp", "+json"})
    for (const char* part : {"", "page2"}) CHECK(output_name("a/" + longest, format, part).filename().string().size() <= 255);
  CHECK(output_name(longest, "+json") != output_name(longest, "+json", "page2"));
  CHECK(output_name(std::string(255, 'n'), "same").string().size() <= 255);
}
