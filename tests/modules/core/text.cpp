// Names from outside where people read them.
#include "modules/core/text.hpp"

#include <nlohmann/json.hpp>

#include "modules/core/json.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fuzz.hpp"

using namespace fovea;

TEST_CASE("text: what is printed on a line of a terminal is one line of text") {
  CHECK(printable("plain, dog's, \xC3\xA9t\xC3\xA9 \xE7\x8C\xAB \xF0\x9F\x90\x95") ==
        "plain, dog's, \xC3\xA9t\xC3\xA9 \xE7\x8C\xAB \xF0\x9F\x90\x95");
  CHECK(printable("a\x1b[2Jb\r\n\tc\x7f") == "a?[2Jb???c?");
  CHECK(printable(std::string_view("a\0b", 3)) == "a?b");
  CHECK(printable("\xC2\x9B"
                  "31m") == "?31m");  // the terminal's escape in one character
  CHECK(printable("\x9B"
                  "31m \xff \xC3") == "?31m ? ?");
  CHECK(printable("\xC0\xAF \xED\xA0\x80 \xF4\x90\x80\x80") == "?? ??? ????");  // too long, a surrogate, above the last
  CHECK(printable("gpj\xE2\x80\xAE.exe \xE2\x80\xA8 \xE2\x81\xA6") == "gpj?.exe ? ?");
  CHECK(printable_lines("a\n\tb\r\x1b") == "a\n\tb??");
}

TEST_CASE("text: what stands in a page or a picture is text there") {
  CHECK(markup("<script>alert('1' & \"2\")</script>") == "&lt;script&gt;alert(&#39;1&#39; &amp; &quot;2&quot;)&lt;/script&gt;");
  CHECK(markup("\xC3\xA9\n\x1b[0m\xff\xC2\x9B") == "\xC3\xA9\n[0m\xEF\xBF\xBD");
  CHECK(markup(std::string_view("a\0b", 3)) == "ab");
}

TEST_CASE("text: JSON for a terminal is the same value") {
  const nlohmann::json value{{"a\x7f",
                              "\xC2\x9B"
                              "31m \xE2\x80\xAE \xC3\xA9 \x1b\n"}};
  const std::string text = printable_json(value.dump());
  CHECK(printable(text) == text);
  CHECK(nlohmann::json::parse(text) == value);
}

TEST_CASE("fuzz: text", "[fuzz]") {
  test::fuzz("text", {"a \xC3\xA9 \xE7\x8C\xAB \xF0\x9F\x90\x95 \x1b[31m", "<b a='&'>\n"}, [](const std::string& text) {
    const std::string line = printable(text), page = markup(text);
    REQUIRE((is_utf8(line) && is_utf8(page) && printable(line) == line));
    REQUIRE((line.find_first_of("\n\r\x1b\x7f") == std::string::npos && page.find_first_of("<>\"'\x1b") == std::string::npos));
    if (is_utf8(text)) REQUIRE(nlohmann::json::parse(printable_json(nlohmann::json(text).dump())) == text);
  });
}
