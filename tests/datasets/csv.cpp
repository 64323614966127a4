#include "datasets/csv.hpp"

#include "modules/core/random.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/fuzz.hpp"

using namespace fovea;
using test::fails_with;

namespace {
Csv parse(const std::string& text) { return parse_csv(text, "t.csv"); }
bool refused(const std::string& text, const std::string& message) {
  INFO(text);
  return fails_with([&] { parse(text); }, message);
}
using Fields = std::vector<std::string>;
}  // namespace

TEST_CASE("csv: plain and quoted fields, both kinds of line breaks, a mark of UTF-8") {
  const Csv c = parse("\xEF\xBB\xBFpath,label\r\na.png,cat\r\n\"b, \"\"c\"\".png\",\"two\nlines\"\n\nd,\n");
  CHECK(c.header == Fields{"path", "label"});
  REQUIRE(c.rows.size() == 3);
  CHECK((c.rows[0].line == 2 && c.rows[0].fields == Fields{"a.png", "cat"}));
  CHECK((c.rows[1].line == 3 && c.rows[1].fields == Fields{"b, \"c\".png", "two\nlines"}));
  CHECK((c.rows[2].line == 6 && c.rows[2].fields == Fields{"d", ""}));
  CHECK(c.column("label") == 1);
  CHECK(parse("a\n1").rows.at(0).fields == Fields{"1"});
  CHECK(parse("a,b").rows.empty());
}

TEST_CASE("csv: what is no table is refused with its line") {
  CHECK(refused("", "t.csv: the file is empty"));
  CHECK(refused("\n\n", "the file is empty"));
  CHECK(refused("a,b\n1,2\n3\n", "t.csv:3: expected 2 fields as in the header, got 1"));
  CHECK(refused("a,b\n1,2,3\n", "t.csv:2: expected 2 fields as in the header, got 3"));
  CHECK(refused("a,b\n1,\"2\n3,4\n", "t.csv:2: a quote without end"));
  CHECK(refused("a,b\n1,2\"\n", "t.csv:2: a quote inside a field"));
  CHECK(refused("a,b\n1,\"2\"x\n", "t.csv:2: text behind a closing quote"));
  CHECK(refused("a,b\r1,2\r", "a line break behind a carriage return"));
  CHECK(refused(std::string("a\0b", 3), "not a text file"));
  CHECK(fails_with([] { parse("path,class\n").column("label"); }, "expected a column 'label' in the header, got path, class"));
  CHECK(fails_with([] { parse("label,label\n").column("label"); }, "two columns are called 'label'"));
  CHECK(fails_with([] { read_csv("/nonexistent/t.csv"); }, "t.csv"));
}

TEST_CASE("csv: any bytes give a table or an error, nothing else") {
  const std::string alphabet = "a\",\n\r\xEF\xBB\xBF ;";
  for (std::uint64_t i = 0; i < 3000; ++i) {
    Random random(11, i);
    std::string text;
    for (std::int64_t k = 0, n = random.below(40); k < n; ++k)
      text += alphabet[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(alphabet.size())))];
    try {
      const Csv c = parse(text);
      for (const CsvRow& r : c.rows) REQUIRE((r.fields.size() == c.header.size() && r.line > 1));
    } catch (const Error& e) { REQUIRE(std::string(e.what()).find("t.csv") == 0); }
  }
}

TEST_CASE("csv: no text is a formula in a spreadsheet, and every text is read as it was") {
  for (const std::string text :
       {"=cmd|' /C calc'!A0", "+1", "-2", "@SUM(1)", "\t=1", "'=1", "''@x", "plain", "", "a=b", "'quoted'", "\"=1\""}) {
    for (const std::string& field : {csv_field(text), csv_quoted(text)}) {
      CAPTURE(text, field);
      CHECK(std::string("=+-@\t").find(field.empty() ? 'x' : field[field[0] == '"' && field.size() > 1 ? 1 : 0]) ==
            std::string::npos);
      CHECK(parse_csv("a,b\n" + field + ",x\n", "test").rows.at(0).fields.at(0) == text);
    }
  }
  CHECK(parse_csv("a,b\n-2,'=1\n", "test").rows.at(0).fields == std::vector<std::string>{"-2", "'=1"});  // other people's
}

TEST_CASE("fuzz: tables", "[fuzz]") {
  CHECK(test::fuzz("csv",
                   {"path,label\r\n\"a, \"\"b\"\"\",cat\r\n\n'=1,\"'+2\"\n",
                    "\xEF\xBB\xBF"
                    "a\n1\n"},
                   [](const std::string& text) {
                     const Csv csv = parse(text);
                     for (const CsvRow& row : csv.rows) REQUIRE(row.fields.size() == csv.header.size());
                     if (csv.rows.empty()) return;
                     // What is read can be written, and is the same when it is read again.
                     std::string again = "x";
                     for (std::size_t i = 1; i < csv.header.size(); ++i) again += ",x";
                     again += "\n";
                     for (const std::string& field : csv.rows[0].fields)
                       again += csv_quoted(field) + (&field == &csv.rows[0].fields.back() ? "\n" : ",");
                     REQUIRE(parse(again).rows.at(0).fields == csv.rows[0].fields);
                   }) > 0);
}
