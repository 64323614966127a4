#include "modules/io/yaml.hpp"

#include <chrono>

#include "modules/core/random.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using fovea::test::fails_with;

namespace {

const std::string kRecipe =
    "fovea: 1\n"
    "model:\n"
    "  head: {type: a2n, scale: 2}\n"
    "train:\n"
    "  data: [a, 'b c', \"d: e\"]\n"
    "  optimizer:\n"
    "    lr: 0.001\n";

Yaml parse(const std::string& text) { return Yaml::parse(text, "r.yaml"); }

// Parses, or fails with an Error: anything else leaves the test. Returns whether it parsed.
bool parses(const std::string& text) {
  try {
    parse(text);
    return true;
  } catch (const Error& e) {
    CHECK(std::string(e.what()).find("r.yaml") != std::string::npos);
    return false;
  }
}

std::string times(std::size_t n, const std::string& what) {
  std::string text;
  for (std::size_t i = 0; i < n; ++i) text += what;
  return text;
}

}  // namespace

TEST_CASE("yaml: a tree with the lines that its parts stand on") {
  const Yaml y = parse(kRecipe);
  CHECK(y.at("fovea").scalar() == "1");
  CHECK(y.at("model").at("head").at("type").scalar() == "a2n");
  CHECK(y.at("train").at("optimizer").at("lr").where() == "r.yaml:7");
  const auto& data = y.at("train").at("data").items();
  REQUIRE(data.size() == 3);
  CHECK(data[1].scalar() == "b c");
  CHECK(data[2].scalar() == "d: e");
  CHECK(fails_with([&] { y.at("model").at("neck"); }, "r.yaml:2: expected a key 'neck'"));
  CHECK(fails_with([&] { y.at("model").scalar(); }, "got a mapping"));
  CHECK(fails_with([&] { y.at("train").at("data").scalar(); }, "got a sequence"));
}

TEST_CASE("yaml: unknown keys are errors with line and the nearest name") {
  const Yaml y = parse("fovea: 1\nmodle:\n  a: 1\n");
  CHECK(fails_with([&] { y.only({"fovea", "model"}); }, "r.yaml:2: unknown key 'modle'; did you mean 'model'?"));
  CHECK(fails_with([&] { y.only({"fovea", "pipeline"}); }, "there are fovea, pipeline"));
  y.only({"fovea", "modle"});
}

TEST_CASE("yaml: keys given twice, keys that are no text, and bad syntax are errors with their line") {
  CHECK(fails_with([] { parse("a: 1\nb: 2\na: 3\n"); }, "r.yaml:3: 'a' is given twice"));
  CHECK(fails_with([] { parse("? [1, 2]\n: x\n"); }, "keys must be plain text"));
  CHECK(fails_with([] { parse("a: 1\nb: [1, 2\nc: 3\n"); }, "r.yaml:"));
  CHECK(fails_with([] { parse("a: [1, 2\n"); }, "r.yaml:"));
  CHECK(fails_with([] { parse("a: *nobody\n"); }, "r.yaml:"));
}

TEST_CASE("yaml: values are set by dotted path, making mappings on the way") {
  Yaml y = parse(kRecipe);
  y.set("train.optimizer.lr", "0.5");
  y.set("train.schedule.type", "cosine");
  y.set("train.data", "[x, y]");
  y.set("seed", "7");
  CHECK(y.at("train").at("optimizer").at("lr").scalar() == "0.5");
  CHECK(y.at("train").at("schedule").at("type").scalar() == "cosine");
  CHECK(y.at("train").at("data").items().size() == 2);
  CHECK(y.at("seed").scalar() == "7");
  CHECK(y.at("model").at("head").at("scale").scalar() == "2");
  const Yaml again = parse(y.str());
  CHECK(again.str() == y.str());
  CHECK(again.at("train").at("schedule").at("type").scalar() == "cosine");
  for (const std::string bad : {"", ".", "a.", ".a", "train..lr", "fovea.x", "train.data.0"}) {
    INFO("'" << bad << "'");
    CHECK(fails_with([&] { Yaml(y).set(bad, "1"); }, "cannot set"));
  }
  CHECK(fails_with([&] { Yaml(y).set("train.data", "[x"); }, "train.data"));
}

TEST_CASE("yaml: scalars become arguments; lists do not pass unseen") {
  Args a = parse("x: 1.5\nlist: [1, 2]\n").args();
  CHECK(a.get("x", 0.0, "") == 1.5);
  CHECK(fails_with([&] { a.get("list", 0.0, ""); }, "r.yaml:1: list: expected one value"));
  Args b = parse("x: 1.5\nlsit: {a: 1}\n").args();
  b.get("x", 0.0, "");
  b.get("list", 0.0, "");
  CHECK(fails_with([&] { b.done(); }, "unknown option 'lsit'; did you mean 'list'?"));
}

TEST_CASE("yaml: what is written reads back the same") {
  for (const std::string& text :
       {std::string("{}"), std::string("[]"), std::string("plain"), kRecipe, std::string("a: [[1, 2], [], [{b: c}, {}]]\n"),
        std::string("a: ''\nb: ~\nc: 'null'\nd: 'true'\ne: \"line\\nbreak \\\"quoted\\\" \\\\ tab\\t\"\nf: '# no comment'\ng: ' "
                    "padded '\n"),
        std::string("a: '- x'\nb: 'x: y'\nc: '[1]'\nd: '&e'\nf: '*g'\nh: '!i'\nj: '%k'\nl: '@m'\nn: '`o'\np: '|'\nq: '?'\n"),
        std::string("'a: b': 1\n'': 2\n'- c': 3\n'[d]': 4\n\"e\\nf\": 5\nüñ: äö\n"),
        std::string("a: |\n  two\n  lines\nb: >\n  folded\n  text\n"), std::string("a: &x {b: 1}\nc: *x\n")}) {
    INFO(text);
    const Yaml y = parse(text);
    const std::string once = y.str();
    INFO(once);
    CHECK(parse(once).str() == once);
  }
  const Yaml y = parse("a: \"line\\nbreak\"\nb: ''\nc: ' padded '\nd: 'null'\n");
  const Yaml again = parse(y.str());
  for (const char* key : {"a", "b", "c", "d"}) CHECK(again.at(key).scalar() == y.at(key).scalar());
}

TEST_CASE("yaml: deep nesting is refused, in any spelling, and never overflows the stack") {
  const std::size_t n = 100000;
  CHECK(parses(times(20, "[") + times(20, "]")));
  CHECK(!parses(times(n, "[")));
  CHECK(!parses(times(n, "{a: ")));
  CHECK(!parses(times(n, "[") + times(n, "]")));
  CHECK(!parses("# " + times(n, "]") + "\n" + times(n, "[") + times(n, "]")));  // closed before they were opened
  CHECK(!parses(times(n, "- ") + "x"));
  CHECK(!parses(times(n, "? ") + "x"));
  std::string steps;
  for (std::size_t i = 0; i < 1000; ++i) steps += std::string(i, ' ') + "a:\n";
  CHECK(!parses(steps));
}

TEST_CASE("yaml: brackets in comments, names and texts are no nesting") {
  CHECK(parses("# " + times(100, "[") + "\na: 1\n"));
  CHECK(parses("a[: 1  # {\n"));
  std::string names;
  for (int i = 0; i < 100; ++i)
    names += "photo[" + std::to_string(i) + "{: 'it''s [ {'\nq" + std::to_string(i) + ": \"\\\"[{\"\n";
  const Yaml y = parse(names);
  CHECK(y.at("photo[7{").scalar() == "it's [ {");
  CHECK(y.at("q9").scalar() == "\"[{");
  CHECK(parse("a: |\n" + times(50, "  [[{{\n")).at("a").scalar().size() == 250);
  CHECK(parse("data: photos [old\nat: backbone.layer[1-4].*\n").at("data").scalar() == "photos [old");
}

TEST_CASE("yaml: aliases cannot multiply without end or hold themselves") {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 20; ++i) {
    const std::string previous = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + previous + times(9, ", " + previous) + "]\n";
  }
  CHECK(fails_with([&] { parse(bomb); }, "too deep or too large"));
  CHECK(!parses("a: &a [*a]\n"));
  CHECK(!parses("&a {b: *a}\n"));
}

TEST_CASE("yaml: a megabyte and no more, in bounded time") {
  CHECK(fails_with([] { parse(std::string((1 << 20) + 1, 'x')); }, "too many for a recipe"));
  CHECK(parses("a: " + std::string(1 << 19, 'x')));
  const auto start = std::chrono::steady_clock::now();
  CHECK(!parses(times(1 << 18, "- a\n")));  // 262144 entries
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(60));
}

TEST_CASE("yaml: half a recipe and random bytes never crash") {
  for (std::size_t n = 0; n <= kRecipe.size(); ++n) parses(kRecipe.substr(0, n));
  Random random(1);
  const std::string letters = "ab:,-?[]{}&*!|>'\"%@`#\n\t \\~<=0.\r";
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = round % 3 ? "" : kRecipe;
    const std::int64_t n = random.below(60);
    for (std::int64_t i = 0; i < n; ++i) {
      const char c = round % 3 == 1 ? static_cast<char>(random.below(256))
                                    : letters[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(letters.size())))];
      if (bytes.empty() || round % 3) bytes += c;
      else bytes[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(bytes.size())))] = c;
    }
    INFO(bytes);
    if (parses(bytes)) {
      const std::string once = parse(bytes).str();
      INFO(once);
      CHECK(parses(once));
    }
  }
}
