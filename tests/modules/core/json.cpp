#include "modules/core/json.hpp"

#include <chrono>

#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using fovea::test::fails_with;
using fovea::test::message_of;

namespace {

JsonValue parse(const std::string& text) { return JsonValue::parse(text, "a.json"); }

std::string times(const std::string& text, int n) {
  std::string all;
  for (int i = 0; i < n; ++i) all += text;
  return all;
}

}  // namespace

TEST_CASE("json: values are read by type, and every mismatch names file and key") {
  const JsonValue v = parse(R"({"maps": [{"name": "x", "peak": {"x": 1.5, "y": 2}}, {"name": 7}], "on": true, "none": null})");
  CHECK(v.at("maps").items().at(0).at("name").text() == "x");
  CHECK(v.at("maps").items().at(0).at("peak").at("x").number() == 1.5);
  CHECK(v.at("maps").items().at(0).at("peak").at("y").whole<int>() == 2);
  CHECK(v.at("on").boolean());
  CHECK(v.at("none").is_null());
  CHECK(v.has("on"));
  CHECK_FALSE(v.at("maps").has("on"));
  CHECK(v.members().size() == 3);
  CHECK(message_of([&] { v.at("maps").items().at(1).at("name").text(); }) == "a.json: maps[1].name: expected text, got a number");
  CHECK(message_of([&] { v.at("maps").items().at(1).at("peak"); }) == "a.json: maps[1]: \"peak\" is missing");
  CHECK(message_of([&] { v.at("on").at("x"); }) == "a.json: on: expected an object with \"x\", got true or false");
  CHECK(message_of([&] { v.at("none").number(); }) == "a.json: none: expected a number, got null");
  CHECK(message_of([&] { v.items(); }) == "a.json: expected a list, got an object");
  CHECK(message_of([&] { v.at("maps").members(); }) == "a.json: maps: expected an object, got a list");
  CHECK(message_of([&] { v.at("maps").boolean(); }) == "a.json: maps: expected true or false, got a list");
}

TEST_CASE("json: whole numbers are whole and fit") {
  const JsonValue v = parse("[-1, 300, 1.0, 18446744073709551615, 9223372036854775808, 1e3, \"1\"]");
  const auto list = v.items();
  CHECK(list[0].whole<std::int64_t>() == -1);
  CHECK(list[1].whole<std::uint16_t>() == 300);
  CHECK(list[3].whole<std::uint64_t>() == 18446744073709551615u);
  CHECK(fails_with([&] { list[0].whole<std::size_t>(); }, "a.json: [0]: expected a whole number from 0 to 18446744073709551615"));
  CHECK(fails_with([&] { list[1].whole<std::uint8_t>(); }, "expected a whole number from 0 to 255"));
  CHECK(fails_with([&] { list[4].whole<std::int64_t>(); }, "a.json: [4]: expected a whole number"));
  for (const std::size_t i : {2u, 5u, 6u}) CHECK(fails_with([&] { list[i].whole<int>(); }, "expected a whole number"));
}

TEST_CASE("json: what is none is an error with file and place, without what was read") {
  for (const std::string bad :
       {"", "{", "[1,]", "{\"a\" 1}", "\"\xff\"", "nul", "1e999", "{} {}", "\"\\ud800\"", "01", "\"a\nb\""}) {
    INFO(bad);
    CHECK(fails_with([&] { parse(bad); }, "a.json: it is not JSON: "));
    CHECK_FALSE(fails_with([&] { parse(bad); }, "json.exception"));
    CHECK_FALSE(fails_with([&] { parse(bad); }, "last read"));
  }
  CHECK(fails_with([] { parse("{\n  \"a\": ?}"); }, "line 2, column 8"));
  CHECK(fails_with([] { parse(R"({"a": 1, "b": {"a": 2, "a": 3}})"); }, "a.json: \"a\" is there twice"));
}

TEST_CASE("json: size, depth and number of values are bounded before memory is taken") {
  const auto start = std::chrono::steady_clock::now();
  for (const std::string& deep : {times("[", 200000), times("[", 200000) + times("]", 200000), times("{\"a\":", 200000)})
    CHECK(fails_with([&] { parse(deep); }, "a.json: JSON nested deeper than 32"));
  CHECK(parse(times("[", 32) + times("]", 32)).items().size() == 1);
  CHECK(fails_with([] { parse("[" + times("1,", 1'000'000) + "1]"); }, "more than 1000000 JSON values"));
  CHECK(fails_with([] { JsonValue::parse(times(" ", 101) + "1", "a.json", {.bytes = 100}); },
                   "102 bytes of JSON, expected at most 100"));
  std::string keys = "{";
  for (int i = 0; i < 200000; ++i) keys += "\"k" + std::to_string(i) + "\":1,";
  CHECK(parse(keys + "\"last\":1}").at("last").whole<int>() == 1);
  // A reader that looks through a list again behind every object in it takes minutes for this one.
  CHECK(parse("[" + times("{},", 499'999) + "{}]").items().size() == 500'000);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
}
