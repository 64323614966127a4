// `fovea eval captions`: what it reads, writes and says.
#include "pipeline/tasks/caption/scorer.hpp"

#include <fstream>

#include "modules/io/json.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/fuzz.hpp"
#include "tests/support/shared.hpp"

using namespace fovea;
namespace fs = std::filesystem;
using test::message_of;

namespace {

void put(const fs::path& file, const std::string& text) { std::ofstream(file, std::ios::binary) << text; }

// As the command line does.
std::unique_ptr<AnswerScorer> scored(const fs::path& file, bool tokenised = false) {
  auto scorer = captions_scorer();
  OptionList options;
  scorer->add_options(options);
  options.set("FILE", file.string());
  if (tokenised) options.set("tokenised", "true");
  scorer->run();
  return scorer;
}

const std::string kFile =
    R"({"references":{"a.jpg":["A dog runs .","The dog's running!"],"b \u001b[2J<b>":["Two cats"],"c.jpg":["x"]},
    "hypotheses":{"b \u001b[2J<b>":"two cats","a.jpg":"a dog runs","d.jpg":"a"},"expected":{}})";

}  // namespace

TEST_CASE("captions scorer: figures and those of each picture, a table; what lacks a side is left out") {
  const test::Folder folder;
  put(folder / "c.json", kFile);
  const auto scorer = scored(folder / "c.json");
  CHECK(scorer->name() == "captions");
  const auto json = scorer->json();
  CHECK((json["pictures"] == 2 && json["references"] == 3 && json["distinct"] == 1 && json["mean_length"] == 2.5));
  CHECK(json["BLEU"].size() == 4);
  CHECK(json["BLEU"][0].get<double>() == Approx(1).margin(1e-8));  // "A dog runs ." is in small letters, without its period
  CHECK(json["ROUGE_L"].get<double>() == Approx(1));
  CHECK((json["CIDEr_D_each"].size() == 2 && json["ROUGE_L_each"]["b \x1b[2J<b>"].get<double>() == Approx(1)));
  CHECK(scorer->table().find("2 pictures, 3 references; captions of 2.5 words, 100.0 % of them distinct") != std::string::npos);
  CHECK(scorer->table().find("CIDEr-D") != std::string::npos);
  const auto left_out = scorer->left_out();
  REQUIRE(left_out.size() == 2);
  CHECK(left_out[0].reason.find("'d.jpg': captions: expected a reference with words, got none") != std::string::npos);
  CHECK(left_out[1].reason.find("'c.jpg': there is no caption of it among the hypotheses") != std::string::npos);

  const auto as_it_is = scored(folder / "c.json", true)->json();
  CHECK(as_it_is["ROUGE_L_each"]["b \x1b[2J<b>"].get<double>() == Approx(0.5));  // "Two" is not "two"
}

TEST_CASE("captions scorer: hostile files end in a message") {
  const test::Folder folder;
  const fs::path file = folder / "c.json";
  const auto says = [&](const std::string& text) {
    put(file, text);
    return message_of([&] { scored(file); });
  };
  using Catch::Matchers::ContainsSubstring;
  CHECK_THAT(message_of([&] { scored(folder / "none.json"); }), ContainsSubstring("none.json"));
  CHECK_THAT(says(kFile.substr(0, 60)), ContainsSubstring("c.json: it is not JSON"));
  CHECK_THAT(says("{\"hypotheses\":{\"a\":\"\xFF\"},\"references\":{\"a\":[\"b\"]}}"),
             ContainsSubstring("c.json: it is not JSON"));
  CHECK_THAT(says("{}"), ContainsSubstring("hypotheses"));
  CHECK_THAT(says(R"({"hypotheses":{},"references":{}})"), ContainsSubstring("nothing could be scored: there are no captions"));
  CHECK_THAT(says(R"({"hypotheses":{"a":""},"references":{"a":[]}})"),
             ContainsSubstring("nothing could be scored; the first reason: "));
  CHECK_THAT(says(R"({"hypotheses":{"a":5},"references":{"a":["b"]}})"),
             ContainsSubstring("c.json: hypotheses.a: expected text"));
  CHECK_THAT(says(R"({"hypotheses":{"a":"b"},"references":{"a":["b",{}]}})"),
             ContainsSubstring("c.json: references.a[1]: expected text"));
  CHECK(says(R"({"hypotheses":{"a":"","b":"\u0000\u0007 \ud83d\udc36"},"references":{"a":["b"],"b":["\ud83d\udc36"]}})").empty());
  std::string words;
  for (int i = 0; i < 1001; ++i) words += "a ";
  CHECK_THAT(says(R"({"hypotheses":{"a":")" + words + R"("},"references":{"a":["b"]}})"),
             ContainsSubstring("expected at most 1000 words, got 1001"));
}

TEST_CASE("fuzz: captions scorer", "[fuzz][pipeline]") {
  const test::Folder folder;
  CHECK(test::fuzz("captions scorer", {kFile}, [&](const std::string& text) {
          put(folder / "c.json", text);
          const auto json = scored(folder / "c.json", text.size() % 2 == 0)->json();
          CHECK((json["BLEU"][3] >= 0 && json["CIDEr_D"] >= 0 && json["ROUGE_L"] <= 1.0000001));
        }) > 0);
}

TEST_CASE("captions scorer: the shared files, as the command reads them") {
  FOVEA_NEEDS_SHARED(folder, "eval/captions");
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto json = scored(entry.path(), true)->json();
    const auto expected = read_json(entry.path()).at("expected").raw();
    for (const auto& [key, value] : expected.items()) {
      REQUIRE(json.contains(key));
      const nlohmann::json got = json[key];
      CHECK(got.size() == value.size());
      const auto flat = value.flatten(), flat_got = got.flatten();
      // Sums of some thousand doubles of at most 10, each rounded once: 1e4 * 10 * 2^-53.
      for (const auto& [path, number] : flat.items())
        CHECK(flat_got.at(path).get<double>() == Approx(number.get<double>()).margin(1e-11));
    }
  }
}
