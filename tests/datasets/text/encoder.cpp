#include "datasets/text/encoder.hpp"

#include <fmt/format.h>

#include <random>

#include "datasets/captions/captioned.hpp"
#include "datasets/text/byte_pairs.hpp"
#include "datasets/text/vocabulary.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/fuzz.hpp"
#include "tests/support/shared.hpp"

using namespace fovea;
using test::fails_with;

namespace {

using Tokens = std::vector<std::int64_t>;

const std::vector<std::string> kTexts{"A dog runs.", "The dog sleeps; the dog's bed", "a cat runs", "a \xF0\x9F\x90\xB6 runs"};

std::unique_ptr<TextEncoder> read(const std::string& text) { return encoder_from(JsonValue::parse(text, "m.json")); }

std::string words_json(const std::string& more) {
  return R"({"kind":"words","tokens":["<pad>","<start>","<end>","<unk>")" + more + "]}";
}
std::string pairs_json(const std::string& merges) { return R"({"kind":"byte_pairs","merges":[)" + merges + "]}"; }

std::string all_bytes() {
  std::string text;
  for (int b = 0; b < 256; ++b) text += static_cast<char>(b);
  return text;
}

}  // namespace

TEST_CASE("vocabulary: frequent words first, equals by their bytes; others are <unk>") {
  const Vocabulary v = Vocabulary::of(kTexts, 2);
  REQUIRE(v.size() == 8);
  CHECK((v.token(0) == "<pad>" && v.token(1) == "<start>" && v.token(2) == "<end>" && v.token(3) == "<unk>"));
  CHECK((v.token(4) == "a" && v.token(5) == "dog" && v.token(6) == "runs" && v.token(7) == "the"));
  CHECK(v.encode("The CAT runs!") == Tokens{7, TextEncoder::kUnknown, 6});
  CHECK(v.encode("<start> <pad>") == Tokens{3, 3});  // no text is a special token
  CHECK(v.encode("").empty());
  CHECK(v.decode(Tokens{1, 4, 5, 0, 3, 2, 6}) == "a dog <unk>");
  CHECK(Vocabulary::of(kTexts, 1).size() == 4 + 9);
  CHECK(Vocabulary::of({}, 5).size() == 4);
  CHECK(fails_with([&] { v.decode(Tokens{8}); }, "expected a token from 0 to 7, got 8"));
  CHECK(fails_with([&] { v.token(-1); }, "got -1"));
  CHECK(fails_with([&] { Vocabulary::of(kTexts, 0); }, "at least once, got 0"));
}

TEST_CASE("byte pairs: the most frequent first, equals by their tokens") {
  const auto byte = [](char c) { return TextEncoder::kSpecial + c; };
  const BytePairs b = BytePairs::of({"abab ab", "cd cd"}, 262);
  REQUIRE(b.size() == 262);
  CHECK(b.token(260) == "ab");  // three times; "cd" twice, " c" and "ba" once
  CHECK(b.token(261) == "cd");
  CHECK(b.encode("abcdx ab") == Tokens{260, 261, byte('x'), byte(' '), 260});
  CHECK(BytePairs::of({"ba ba", "ab ab"}, 261).token(260) == "ab");  // as often as "ba": the lower tokens
  CHECK(BytePairs::of({"abab"}, 500, 1).size() == 262);              // "ab", "abab": there are no more
  CHECK(BytePairs::of({"abc"}, 500).size() == 260);                  // nothing twice
  CHECK(BytePairs::of({std::string(500, 'a')}, 300).token(265) == std::string(64, 'a'));
  CHECK(fails_with([] { BytePairs::of({}, 259); }, "expected from 260 to 1000000 tokens, got 259"));
  CHECK(fails_with([] { BytePairs::of({}, 300, 0); }, "at least once, got 0"));
}

TEST_CASE("byte pairs give back every text, byte for byte, and need no <unk>") {
  const BytePairs b = BytePairs::of(kTexts, 300);
  CHECK(b.size() > 265);
  std::vector<std::string> texts = kTexts;
  texts.insert(texts.end(), {"", all_bytes(), "  two  blanks\n\n", " ", std::string(1000, 'a'), "dog\xF0\x9F\x90"});
  std::mt19937 random(3);
  for (int i = 0; i < 200; ++i) {
    std::string text;
    for (int n = static_cast<int>(random() % 60); n > 0; --n)
      text += random() % 3 ? "a dogruns "[random() % 10] : static_cast<char>(random());
    texts.push_back(text);
  }
  for (const std::string& text : texts) {
    const Tokens tokens = b.encode(text);
    CHECK(b.decode(tokens) == text);
    for (const std::int64_t t : tokens) CHECK((t >= TextEncoder::kSpecial && t < b.size()));
  }
  CHECK(b.encode(kTexts[0]).size() < kTexts[0].size());
  CHECK(b.decode(Tokens{1, 4 + 'a', 0, 4 + 'b', 2, 4 + 'c'}) == "ab");
}

TEST_CASE("encoders go through JSON, and say what is wrong with it") {
  const Vocabulary v = Vocabulary::of(kTexts, 1);
  const BytePairs b = BytePairs::of(kTexts, 280);
  for (const TextEncoder* e : {static_cast<const TextEncoder*>(&v), static_cast<const TextEncoder*>(&b)}) {
    const auto again = read(e->json().dump());
    CHECK((again->size() == e->size() && again->json() == e->json()));
    for (const std::string& text : kTexts) CHECK(again->encode(text) == e->encode(text));
  }
  const std::pair<std::string, std::string> wrong[] = {
      {R"({"kind":"letters"})", "m.json: kind: expected 'words' or 'byte_pairs'"},
      {R"({"kind":"words","tokens":[]})", "m.json: tokens: expected at least 4 tokens, got 0"},
      {R"({"kind":"words","tokens":["<pad>","<start>","<unk>","<end>"]})", "m.json: tokens[2]: expected '<end>'"},
      {words_json(R"(,"a","b","a")"), "'a' is there twice"},
      {words_json(R"(,"two words")"), "expected a word in small letters, got 'two words'"},
      {words_json(R"(,"Dog")"), "got 'Dog'"},
      {words_json(R"(,"")"), "got ''"},
      {words_json(R"(,"<pad>")"), "got '<pad>'"},
      {words_json(",5"), "m.json: tokens[4]: expected text"},
      {pairs_json("[4,260]"), "merge 0: expected tokens from 4 to 259, got 260"},
      {pairs_json("[4,5],[4,5]"), "merge 1 is there twice"},
      {pairs_json("[3,5]"), "got 3"},
      {pairs_json("[4,-1]"), "got -1"},
      {pairs_json("[4]"), "m.json: merges[0]: expected two tokens, got 1"},
      {pairs_json("[4,1e300]"), "m.json: merges[0][1]: expected a whole number"},
      {pairs_json("[4,4],[260,260],[261,261],[262,262],[263,263],[264,264],[265,265]"), "at most 64 bytes, got 128"}};
  for (const auto& [text, message] : wrong) {
    INFO(text << " says " << test::message_of([&] { read(text); }));
    CHECK(fails_with([&] { read(text); }, message));
  }
}

TEST_CASE("fuzz: encoders", "[fuzz][datasets]") {
  const std::vector<std::string> seeds{Vocabulary::of(kTexts, 1).json().dump(), BytePairs::of(kTexts, 280).json().dump()};
  CHECK(test::fuzz("encoder", seeds, [](const std::string& text) {
          const auto e = read(text);
          const std::string said = e->decode(e->encode(all_bytes() + "a dog"));
          if (dynamic_cast<const BytePairs*>(e.get())) CHECK(said == all_bytes() + "a dog");
        }) > 0);
}

TEST_CASE("vocabulary of Flickr8k's training captions") {
  FOVEA_NEEDS_SHARED(folder, "data/flickr8k");
  const std::vector<std::string> captions = captions_of(read_captioned(folder, {.split = "train"}).pictures);
  REQUIRE(captions.size() == 30'000);
  const Vocabulary v = Vocabulary::of(captions, 5);
  CHECK((v.size() > 2300 && v.size() < 2800));  // 2,500 or so words are usual for it
  const BytePairs b = BytePairs::of(captions, 1000);
  CHECK(b.size() == 1000);
  for (std::size_t i = 0; i < captions.size(); i += 97) CHECK(b.decode(b.encode(captions[i])) == captions[i]);
}
