// Classes by name, by synonym and by index.
#include "modules/explain/class_index.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using fovea::explain::class_index;
using fovea::test::fails_with;

TEST_CASE("explain: a class is found by its name, by one of its synonyms in either case, or by its index") {
  const std::vector<std::string> classes{"tiger cat", "Egyptian cat, tabby", "maillot", "maillot, tank suit",
                                         "crane",     "crane,  hoist",       "Dog",     "dog",
                                         "7",         "great grey owl"};
  CHECK(class_index("Egyptian cat, tabby", classes) == 1);
  CHECK(class_index("tabby", classes) == 1);
  CHECK(class_index("EGYPTIAN CAT", classes) == 1);
  CHECK(class_index("egyptian cat,tabby", classes) == 1);
  CHECK(class_index("tabby, egyptian cat", classes) == 1);
  CHECK(class_index("maillot", classes) == 2);  // the whole name goes before a synonym
  CHECK(class_index("Tank Suit", classes) == 3);
  CHECK(class_index("Crane", classes) == 4);
  CHECK(class_index(" hoist ", classes) == 5);
  CHECK(class_index("dog", classes) == 7);
  CHECK(class_index("7", classes) == 8);  // a name before an index
  CHECK(class_index("9", classes) == 9);
}

TEST_CASE("explain: a class that is not there or not the only one is answered with what is near") {
  const std::vector<std::string> classes{"Egyptian cat, tabby", "tiger cat, Tabby", "Dog", "dog", "owl"};
  CHECK(fails_with(
      [&] { class_index("tabby", classes); },
      "class 'tabby': several classes are called so; give the index of one: 0 'Egyptian cat, tabby'; 1 'tiger cat, Tabby'"));
  CHECK(fails_with([&] { class_index("DOG", classes); }, "give the index of one: 2 'Dog'; 3 'dog'"));
  CHECK(fails_with([&] { class_index("egyptien Cat", classes); },
                   "no such class; did you mean 'Egyptian cat'?; it has 5, such as"));
  CHECK(fails_with([&] { class_index("Egypt", classes); }, "no such class; did you mean 'Egyptian cat'?"));
  CHECK(fails_with([&] { class_index("submarine", classes); },
                   "the model has no such class; it has 5, such as Egyptian cat, tabby and owl"));
  CHECK(fails_with([&] { class_index("5", classes); }, "class 5: expected an index of 0 to 4"));
  CHECK(fails_with([&] { class_index(",", classes); }, "the model has no such class"));
}
