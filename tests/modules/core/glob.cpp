#include "modules/core/glob.hpp"

#include <chrono>
#include <random>

#include "modules/core/error.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using fovea::test::fails_with;

namespace {

bool name_match(const std::string& pattern, const std::string& name) { return Glob(pattern).matches(name); }
bool file_match(const std::string& pattern, const std::string& path) { return Glob(pattern, Glob::Kind::files).matches(path); }
bool leads_on(const std::string& pattern, const std::string& folder) {
  return Glob(pattern, Glob::Kind::files).leads_on_from(folder);
}

std::string times(const std::string& text, int n) {
  std::string all;
  for (int i = 0; i < n; ++i) all += text;
  return all;
}

// What the patterns mean, by trying everything: braces are expanded, stars tried at every length.
std::vector<std::string> expanded(const std::string& pattern) {
  const auto close = pattern.find('}');
  if (close == std::string::npos) return {pattern};
  const auto open = pattern.rfind('{', close);
  std::vector<std::string> all;
  for (std::size_t from = open + 1; from <= close;) {
    const std::size_t to = std::min(pattern.find(',', from), close);
    for (std::string& one : expanded(pattern.substr(0, open) + pattern.substr(from, to - from) + pattern.substr(close + 1)))
      all.push_back(std::move(one));
    from = to + 1;
  }
  return all;
}

bool tried(const std::string& g, const std::string& p, bool start = true) {
  if (g.empty()) return p.empty();
  if (g[0] == '*') {
    const auto stars = std::min(g.find_first_not_of('*'), g.size());
    const bool deep = stars > 1;
    const std::string rest = g.substr(stars);
    if (deep && start && !rest.empty() && rest[0] == '.' && tried(rest.substr(1), p, true)) return true;
    for (std::size_t i = 0; i <= p.size(); ++i) {
      if (tried(rest, p.substr(i), i == 0 ? start : p[i - 1] == '.')) return true;
      if (i < p.size() && !deep && p[i] == '.') return false;
    }
    return false;
  }
  if (p.empty() || (g[0] == '?' ? p[0] == '.' : g[0] != p[0])) return false;
  return tried(g.substr(1), p.substr(1), p[0] == '.');
}

}  // namespace

TEST_CASE("patterns over names") {
  CHECK(name_match("a.b", "a.b"));
  CHECK_FALSE(name_match("", ""));
  CHECK_FALSE(name_match("", "a"));
  CHECK(name_match("*.b", "a.b"));
  CHECK_FALSE(name_match("*", "a.b"));
  CHECK(name_match("**", "a.b.c"));
  CHECK(name_match("**.spatial", "spatial"));
  CHECK(name_match("**.spatial", "backbone.layer1.0.spatial"));
  CHECK_FALSE(name_match("**.spatial", "backbone.notspatial"));
  CHECK(name_match("a.**.d", "a.b.c.d"));
  CHECK(name_match("a.**.d", "a.d"));
  CHECK(name_match("layer?", "layer3"));
  CHECK_FALSE(name_match("layer?", "layer."));
  CHECK(name_match("backbone.layer{3,4}.*.pre_add", "backbone.layer4.1.pre_add"));
  CHECK_FALSE(name_match("backbone.layer{3,4}.*.pre_add", "backbone.layer2.1.pre_add"));
  CHECK(name_match("layer[2-4]", "layer3"));
  CHECK_FALSE(name_match("layer[2-4]", "layer5"));
  CHECK(name_match("{a,b}.{c,d}", "b.d"));
  CHECK_FALSE(name_match("a", "ab"));
  CHECK_FALSE(name_match("ab", "a"));
  CHECK(name_match("{conv1,bn1}.**", "bn1.weight"));
  CHECK(fails_with([] { name_match("{a,b", "a"); }, "'{' without '}'"));
  CHECK(fails_with([] { name_match("[a", "a"); }, "'[' without ']'"));
}

TEST_CASE("sets, escapes and braces within braces in names") {
  CHECK(name_match("layer[!2-4]", "layer5"));
  CHECK_FALSE(name_match("layer[!2-4]", "layer3"));
  CHECK_FALSE(name_match("a[!b]c", "a.c"));  // a set is a character of one component
  CHECK(name_match("{a,b{c,d}}.e", "bd.e"));
  CHECK(name_match("{a,}b", "b"));
  CHECK(name_match("{a}", "a"));
  CHECK_FALSE(name_match("a**.d", "ad"));  // no component is left out in the middle of one
  CHECK(name_match("{**.x,y}", "x"));
}

TEST_CASE("patterns over files") {
  CHECK(file_match("*.png", "a.png"));
  CHECK_FALSE(file_match("*.png", "a.jpg"));
  CHECK_FALSE(file_match("*.png", "a/b.png"));
  CHECK(file_match("a?c", "abc"));
  CHECK(file_match("[a-c]x", "bx"));
  CHECK_FALSE(file_match("[!a-c]x", "bx"));
  CHECK(file_match("[]x]", "]"));
  CHECK(file_match("a[", "a["));
  CHECK(file_match("\\*", "*"));
  CHECK_FALSE(file_match("\\*", "a"));
  CHECK(file_match("*a*b*", "xxaxxbxx"));
  CHECK(file_match("**/*.png", "a.png"));
  CHECK(file_match("**/*.png", "x/y/a.png"));
  CHECK(file_match("x/**/a.png", "x/a.png"));
  CHECK(file_match("x/**", "x/y/a.png"));
  CHECK_FALSE(file_match("*/*.png", "x/y/a.png"));
  CHECK_FALSE(file_match("a**.png", "a/b.png"));  // in the middle of a component ** is *
  CHECK(file_match("a{b,c{d,e}}f", "acef"));
  CHECK(file_match("{x/y,z}/*.png", "x/y/a.png"));
  for (const char* plain : {"a{b}c", "a{b", "a}b", "{0f3c-11}", "a{b,c"}) {
    INFO(plain);
    CHECK(file_match(plain, plain));
  }
  CHECK(leads_on("*/b/*.png", "a"));
  CHECK(leads_on("{a,b}/c/*.png", "b/c"));
  CHECK(leads_on("**/*.png", "x/y"));
  CHECK_FALSE(leads_on("a/b/*.png", "c"));
  CHECK_FALSE(leads_on("*.png", "sub"));
  CHECK(has_wildcards("a{b"));
  CHECK_FALSE(has_wildcards("a-b.png"));
}

TEST_CASE("no pattern takes long") {
  const auto start = std::chrono::steady_clock::now();
  const std::string name = "backbone.layer1.0.pre_add.cbam.spatial.conv.weight";
  CHECK_FALSE(name_match(times("{,,}", 18), name));
  CHECK_FALSE(name_match(times("{a,b}", 2000), name));
  CHECK_FALSE(name_match(times("{a,a,a}", 18), std::string(18, 'a') + "b"));
  CHECK_FALSE(name_match(times("*a", 200) + "b", std::string(400, 'a')));
  CHECK_FALSE(name_match(times("**.", 2000) + "b", times("a.", 200)));
  CHECK_FALSE(file_match(times("{a,b}", 21), "c"));
  CHECK_FALSE(file_match(times("**/", 1000) + "b", times("a/", 1000) + "c"));
  CHECK_FALSE(file_match(times("{", 30000), "a"));
  CHECK_FALSE(file_match(times("[", 30000), "a"));
  CHECK(fails_with([] { name_match(std::string(300000, '*'), "a"); }, "expected a pattern of at most"));
  CHECK(fails_with([] { name_match(times("{a,", 40) + times("}", 40), "a"); }, "nested deeper than"));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));
}

TEST_CASE("random patterns mean what trying everything says") {
  const std::vector<std::string> parts{"a", "b", ".", "?", "*", "**", "**.", "{a,b}", "{ab,a}", "{a.,b}", "{b,?}", "{**.a,b}"};
  std::mt19937 random(7);
  const auto pick = [&](std::size_t n) { return random() % n; };
  for (int i = 0; i < 20000; ++i) {
    std::string pattern, text;
    for (std::size_t n = 1 + pick(5); n > 0; --n) pattern += parts[pick(parts.size())];
    for (std::size_t n = pick(7); n > 0; --n) text += "ab."[pick(3)];
    bool expected = false;
    for (const std::string& one : expanded(pattern)) expected |= tried(one, text);
    if (name_match(pattern, text) == expected) continue;
    FAIL("'" << pattern << "' and '" << text << "': expected " << expected);
  }
  SUCCEED();
}
