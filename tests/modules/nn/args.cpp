#include "modules/nn/args.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using fovea::test::fails_with;

TEST_CASE("args: values are read by type, absent ones by default") {
  Args a("r.yaml:3", {{"n", "-7"}, {"x", "2.5e-3"}, {"on", "true"}, {"text", "a b"}});
  CHECK(a.get("n", 1, "") == -7);
  CHECK(a.get("x", 1.0, "") == 2.5e-3);
  CHECK(a.get("on", false, ""));
  CHECK(a.get("text", "none", "") == "a b");
  CHECK(a.get("other", 4, "") == 4);
  CHECK(a.require("n", "count") == -7);
  a.done();
}

TEST_CASE("args: what is not a number, or not finite, is an error with its place") {
  for (const std::string bad : {"", " 5", "5 ", "five", "5x", "0x10", "true", "+5"}) {
    INFO("'" << bad << "'");
    Args a("r.yaml:3", {{"n", bad}});
    CHECK(fails_with([&] { a.get("n", 1, ""); }, "r.yaml:3: n: expected a number, got '" + bad + "'"));
  }
  for (const std::string bad : {"nan", "inf", "-inf", "1e999", "--1", "1,5", ""}) {
    INFO("'" << bad << "'");
    Args a("r.yaml:3", {{"x", bad}});
    CHECK(fails_with([&] { a.get("x", 1.0, ""); }, "r.yaml:3: x: expected a"));
  }
  for (const std::string bad : {"yes", "1", "True", ""}) {
    Args a("w", {{"b", bad}});
    CHECK(fails_with([&] { a.get("b", true, ""); }, "w: b: expected true or false"));
  }
}

TEST_CASE("args: what is a number, but no whole one or too large, is told so") {
  const auto said = [](const std::string& given, const std::string& message) {
    INFO(given);
    Args a("r.yaml:3", {{"n", given}});
    return fails_with([&] { a.get("n", 1, ""); }, "r.yaml:3: n: " + message);
  };
  CHECK(said("1.5", "expected a whole number, got '1.5'"));
  CHECK(said("1e1", "expected a whole number, got '1e1'; write it as 10"));
  CHECK(said("24.0", "expected a whole number, got '24.0'; write it as 24"));
  CHECK(said("-0.5e1", "expected a whole number, got '-0.5e1'; write it as -5"));
  for (const std::string large : {"3000000000", "-3000000000", "99999999999999999999", "1e100"})
    CHECK(said(large, "expected a whole number from -2147483648 to 2147483647, got '" + large + "'"));
  for (const std::string none : {"nan", "inf", "1e999", "-1e999"}) CHECK(said(none, "expected a"));
  Args list("r.yaml:3", {}, {}, {{"widths", {"8", "1e1"}}});
  CHECK(fails_with([&] { list.list("widths", std::vector<int>{}, ""); }, "widths: expected a whole number, got '1e1'"));
}

TEST_CASE("args: an option that nobody read is an error with the nearest name or all of them") {
  Args near("r.yaml:3", {{"blcoks", "4"}});
  near.get("blocks", 1, "");
  CHECK(fails_with([&] { near.done(); }, "r.yaml:3: unknown option 'blcoks'; did you mean 'blocks'?"));
  Args far("w", {{"zzzzzz", "4"}});
  far.get("blocks", 1, "");
  far.get("width", 1, "");
  CHECK(fails_with([&] { far.done(); }, "there are blocks, width"));
  Args missing("w", {});
  CHECK(fails_with([&] { missing.require("scale", "2, 3 or 4"); }, "w: scale is missing (2, 3 or 4)"));
}

TEST_CASE("args: a list where one value is wanted is an error, known or not") {
  Args known("w", {}, {"lr"});
  CHECK(fails_with([&] { known.get("lr", 1.0, ""); }, "w: lr: expected one value"));
  Args unknown("w", {}, {"lrr"});
  unknown.get("lr", 1.0, "");
  CHECK(fails_with([&] { unknown.done(); }, "did you mean 'lr'?"));
}

TEST_CASE("args: they describe themselves with defaults that read back exactly") {
  Args a;
  a.get("epsilon", 1e-8, "of adam");
  a.get("blocks", 16, "how many");
  a.get("bias", true, "with one");
  REQUIRE(a.described().size() == 3);
  CHECK(a.described()[0].fallback == "1e-08");
  CHECK(a.described()[1].fallback == "16");
  CHECK(a.described()[2].fallback == "true");
  CHECK(a.described()[1].text == "how many");
}

TEST_CASE("args: nearest finds typing mistakes and nothing else") {
  const std::vector<std::string> names{"momentum", "nesterov", "lr"};
  CHECK(nearest("momentun", names) == "momentum");
  CHECK(nearest("moemntum", names) == "momentum");
  CHECK(nearest("l", names) == "lr");
  CHECK(nearest("temperature", names).empty());
  CHECK(nearest("x", {}).empty());
}
