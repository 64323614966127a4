#include "datasets/metrics/captions.hpp"

#include <cmath>

#include "datasets/text/words.hpp"
#include "modules/io/json.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/shared.hpp"

using namespace fovea;
using test::fails_with;

namespace {

// Of (caption, references).
CaptionsScores scores_of(const std::vector<std::pair<std::string, std::vector<std::string>>>& pictures) {
  CaptionsMetrics m;
  for (const auto& [caption, references] : pictures) {
    std::vector<std::vector<std::string>> people;
    for (const std::string& r : references) people.push_back(split_words(r));
    m.add(split_words(caption), people);
  }
  return m.scores();
}

}  // namespace

TEST_CASE("captions: the figures of pycocoevalcap") {
  FOVEA_NEEDS_SHARED(folder, "eval/captions");
  for (const char* name : {"constant_caption.json", "near_caption.json", "other_caption.json"}) {
    INFO(name);
    const JsonValue all = read_json(folder / name);
    std::vector<std::pair<std::string, std::vector<std::string>>> pictures;
    std::vector<std::string> names;
    for (const auto& [picture, caption] : all.at("hypotheses").members()) {
      std::vector<std::string> people;
      for (const JsonValue& r : all.at("references").at(picture).items()) people.push_back(r.text());
      pictures.emplace_back(caption.text(), people);
      names.push_back(picture);
    }
    const CaptionsScores s = scores_of(pictures);
    const nlohmann::json& expected = all.at("expected").raw();
    // Sums of some thousand doubles of at most 10, each rounded once: 1e4 * 10 * 2^-53.
    constexpr double kRounding = 1e-11;
    const auto near = [&](double value, const nlohmann::json& e) { return std::abs(value - e.get<double>()) <= kRounding; };
    for (std::size_t n = 0; n < 4; ++n) CHECK(near(s.bleu[n], expected["BLEU"][n]));
    CHECK((near(s.rouge_l, expected["ROUGE_L"]) && near(s.cider_d, expected["CIDEr_D"])));
    REQUIRE(names.size() == expected["CIDEr_D_each"].size());
    for (std::size_t i = 0; i < names.size(); ++i) {
      CHECK(near(s.cider_d_each[i], expected["CIDEr_D_each"][names[i]]));
      CHECK(near(s.rouge_l_each[i], expected["ROUGE_L_each"][names[i]]));
    }
  }
}

TEST_CASE("captions: BLEU clips by the reference with most, and takes the closest length") {
  // Two of three words are right; lengths 2 and 4 are as close to 3, and the shorter counts: no penalty.
  const CaptionsScores s = scores_of({{"the the the", {"the the", "the cat sat there"}}});
  CHECK(s.bleu[0] == Approx(2.0 / 3).margin(1e-8));
  CHECK(s.bleu[1] == Approx(std::sqrt(2.0 / 3 * 1 / 2)).margin(1e-8));
  CHECK(s.bleu[2] < 1e-3);
  // Precision 1, two words of four.
  CHECK(scores_of({{"the cat", {"the cat sat there"}}}).bleu[0] == Approx(std::exp(1 - 2.0)).margin(1e-8));
}

TEST_CASE("captions: ROUGE-L by the longest common subsequence") {
  const double precision = 3.0 / 4, recall = 3.0 / 5;
  const double f = (1 + 1.44) * precision * recall / (recall + 1.44 * precision);
  CHECK(scores_of({{"a b c d", {"a c d e f"}}}).rouge_l == Approx(f).epsilon(1e-12));
  CHECK(scores_of({{"a b c d", {"x", "a c d e f"}}}).rouge_l == Approx(f).epsilon(1e-12));
  CHECK(scores_of({{"a b", {"c d"}}}).rouge_l == 0);
}

TEST_CASE("captions: CIDEr-D weighs words by how few pictures have them") {
  const CaptionsScores s = scores_of({{"a b c d", {"a b c d"}}, {"e f g h", {"e f g h"}}});
  CHECK(s.cider_d_each[0] == Approx(10).epsilon(1e-12));
  CHECK(scores_of({{"a b c d", {"a b c d"}}}).cider_d == 0);  // one picture tells nothing of what is rare
  CHECK(scores_of({{"a b", {"a b", "c"}}, {"x y", {"a b", "c"}}}).cider_d_each[0] == 0);  // neither does what all have
  // Of the four lengths of n-grams the caption has three; it is one word shorter.
  const CaptionsScores shorter = scores_of({{"a b c", {"a b c d"}}, {"e", {"e"}}});
  const double expected = 10.0 / 4 * (std::sqrt(3.0 / 4) + std::sqrt(2.0 / 3) + std::sqrt(1.0 / 2)) * std::exp(-1.0 / 72);
  CHECK(shorter.cider_d_each[0] == Approx(expected).epsilon(1e-12));
}

TEST_CASE("captions: distinct ones and their length; the order of pictures does not matter") {
  const CaptionsScores s =
      scores_of({{"a dog", {"a cat"}}, {"a dog", {"a dog"}}, {"\xF0\x9F\x90\xB6", {"\xF0\x9F\x90\xB6", "x"}}});
  CHECK((s.pictures == 3 && s.references == 4));
  CHECK(s.distinct == Approx(2.0 / 3));
  CHECK(s.mean_length == Approx(5.0 / 3));
  CHECK(s.rouge_l_each[2] == Approx(1));
  const CaptionsScores other =
      scores_of({{"\xF0\x9F\x90\xB6", {"x", "\xF0\x9F\x90\xB6"}}, {"a dog", {"a dog"}}, {"a dog", {"a cat"}}});
  CHECK(other.cider_d_each[2] == Approx(s.cider_d_each[0]).epsilon(1e-12));
  CHECK(other.bleu[0] == Approx(s.bleu[0]).epsilon(1e-12));
}

TEST_CASE("captions: nothing said is the worst; what cannot be measured is refused, and leaves no trace") {
  const CaptionsScores s = scores_of({{"", {"a b c d e"}}, {"a b c d e", {"a b c d e", ""}}});
  CHECK((s.rouge_l_each[0] == 0 && s.cider_d_each[0] == 0 && s.mean_length == 2.5 && s.references == 2));
  CHECK(s.bleu[0] == Approx(std::exp(-1.0)).margin(1e-8));  // half as long as it should be
  CHECK(scores_of({{"", {"a"}}}).bleu[3] < 1e-5);

  CaptionsMetrics m;
  CHECK(fails_with([&] { m.scores(); }, "expected a picture with a caption and references, got none"));
  CHECK(fails_with([&] { m.add({"a"}, {}); }, "expected a reference with words, got none"));
  CHECK(fails_with([&] { m.add({"a"}, {{}}); }, "got only such without"));
  const std::vector<std::string> many(CaptionsMetrics::kMostWords + 1, "a");
  CHECK(fails_with([&] { m.add(many, {{"a"}}); }, "expected at most 1000 words, got 1001"));
  CHECK(fails_with([&] { m.add({"a"}, {{"a"}, many}); }, "got 1001"));
  CHECK(m.pictures() == 0);
  m.add({"a"}, {{"a"}});
  CHECK(m.scores().bleu[0] == Approx(1).margin(1e-8));
}
