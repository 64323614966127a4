#include "datasets/metrics/boxes_picture.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using test::fails_with;

TEST_CASE("box confusion: by hand, with a background") {
  BoxConfusion m({"cat", "dog"});
  CHECK(m.names() == std::vector<std::string>{"cat", "dog", "background"});
  const Box left{0, 0, 10, 10}, right{20, 0, 30, 10}, crowd{100, 0, 200, 100};
  m.add({{left, 0}, {right, 1}, {{50, 0, 60, 10}, 1}, {crowd, 1, true}},
        {{{0, 0, 10, 9}, 1, 0.5},      // the cat, taken for a dog
         {{0, 0, 10, 8}, 0, 0.4},      // the cat again: there is no other
         {right, 1, 0.25},             // right
         {{50, 0, 60, 10}, 1, 0.2},    // right, but too unsure
         {{110, 0, 120, 10}, 1, 0.9},  // in the crowd of dogs
         {{110, 0, 120, 10}, 0, 0.9},  // no cat there
         {{110, 0, 110, 10}, 1, 0.9}}  // nothing
  );
  CHECK(m.counts() == std::vector<std::vector<std::int64_t>>{{0, 1, 0}, {0, 1, 1}, {2, 1, 0}});
  BoxConfusion same({"cat", "dog"}, {.score = 0, .iou = 0.9});
  same.add({{left, 0}, {left, 1}}, {{left, 1, 0.3}, {left, 0, 0.3}});
  CHECK(same.counts() == std::vector<std::vector<std::int64_t>>{{1, 0, 0}, {0, 1, 0}, {0, 0, 0}});
  CHECK(fails_with([&] { same.add({{left, 2}}, {}); }, "expected a label below 2, got 2"));
  CHECK(fails_with([&] { same.add({}, {{left, -1, 1}}); }, "expected a label below 2, got -1"));
  CHECK_THROWS_AS(BoxConfusion(std::vector<std::string>(1501)), Error);
  CHECK_THROWS_AS(BoxConfusion({"a"}, {.iou = 0}), Error);
}

TEST_CASE("box pictures: a line and an entry for each class with objects, names escaped") {
  BoxMetrics m({"a<b>&\"c\"\x01", "none", std::string(40, 'x')});
  m.add(1, {{{0, 0, 9, 9}, 0}, {{0, 0, 9, 9}, 2}}, {{{0, 0, 9, 9}, 0, 0.5}});
  const std::string svg = precision_recall_picture(m.scores(), "run & eval");
  const auto count = [](const std::string& text, const std::string& part) {
    std::size_t n = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
    return n;
  };
  CHECK((count(svg, "<polyline") == 2 && count(svg, "a&lt;b&gt;&amp;&quot;c&quot; 1.000</text>") == 1));
  CHECK((count(svg, "run &amp; eval") == 1 && count(svg, "none</text>") == 0 && count(svg, "xx.. 0.000</text>") == 1));
  BoxMetrics many(std::vector<std::string>(200, "n"));
  for (std::int64_t c = 0; c < 200; ++c) many.add(c, {{{0, 0, 9, 9}, c}}, {});
  CHECK(count(precision_recall_picture(many.scores(), ""), "<polyline") == 200);
  CHECK(count(precision_recall_picture(BoxMetrics({}).scores(), ""), "</svg>") == 1);
  CHECK(count(precision_recall_picture(BoxMetrics({"a"}, {0.9}).scores(), ""), "<polyline") == 0);
  BoxConfusion confusion({"a<b"});
  confusion.add({{{0, 0, 9, 9}, 0}}, {});
  const std::string matrix = confusion_picture(confusion, "t");
  CHECK((count(matrix, "a&lt;b</text>") == 2 && count(matrix, "background</text>") == 2 && count(matrix, ">1</text>") == 1));
}
