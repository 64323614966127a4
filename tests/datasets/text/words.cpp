#include "datasets/text/words.hpp"

#include <random>

#include "datasets/text/characters.hpp"
#include "modules/core/json.hpp"
#include "tests/support/catch.hpp"

using namespace fovea;

namespace {

using Words = std::vector<std::string>;

std::string joined(const std::string& text, const WordsOptions& options = {}) { return join_words(words_of(text, options)); }

}  // namespace

TEST_CASE("words: letters and digits, small, without punctuation") {
  CHECK(words_of("A black dog runs .") == Words{"a", "black", "dog", "runs"});
  CHECK(joined("\"Two\" dogs, one (brown); run...fast!") == "two dogs one brown run fast");
  CHECK(joined("T-shirt -- merry-go-round - x") == "t-shirt merry-go-round x");
  CHECK(joined("3.5 m, 1,000 at 10:30 on the 3rd; 5.") == "3.5 m 1,000 at 10:30 on the 3rd 5");
  CHECK(joined("U.S. flag, a.m. snow.The end e.g.x") == "u.s flag a.m snow the end e.g.x");
  CHECK(joined("black & white #1 50% $5") == "black & white # 1 50 % $ 5");
  CHECK(joined("a<b>c_d/e\\f") == "a b c d e f");
  CHECK(joined("<unk> <start>") == "unk start");  // text holds no special token
}

TEST_CASE("words: apostrophes as in the Penn Treebank") {
  CHECK(joined("It's the dogs' man's o'clock") == "it 's the dogs man 's o'clock");
  CHECK(joined("I can't, DON'T, won't; they'd've") == "i ca n't do n't wo n't they 'd 've");
  CHECK(joined("A man 's hat does n't fit; 'rock'n'roll'") == "a man 's hat does n't fit rock'n'roll");
  CHECK(joined("man’s “quoted”") == "man 's quoted");
  CHECK(joined("'sup 'so 5's") == "sup so 5 's");
}

TEST_CASE("words: what options change") {
  CHECK(words_of("It's \"A\" B.", {.lower = true, .punctuation = true}) == Words{"it", "'s", "\"", "a", "\"", "b", "."});
  CHECK(joined("Don'T Ää", {.lower = false, .punctuation = false}) == "Do n'T Ää");
}

TEST_CASE("words: letters of other scripts, ideographs, emoji") {
  CHECK(joined("CAFÉ ÜBER ΣΟΦΌΣ ЖЁ") == "café über σοφόσ жё");
  CHECK(joined("猫、狗") == "猫 狗");
  const std::string family = "\U0001F468\u200D\U0001F469", flag = "\U0001F1E9\U0001F1EA", thumb = "\U0001F44D\U0001F3FD",
                    heart = "\u2764\uFE0F";
  CHECK(words_of("dog" + family + flag + flag + thumb + "x" + heart + heart) ==
        Words{"dog", family, flag, flag, thumb, "x", heart, heart});
}

TEST_CASE("words: controls, marks without width and broken UTF-8 separate; nothing is no word") {
  CHECK(words_of("").empty());
  CHECK(words_of(" \t\n...\x01\xFF'\"").empty());
  CHECK(joined(std::string("a\0b", 3) + "\x1B[2Jc\xC3(d\u200Be") == "a b 2jc d e");
  CHECK(joined("soft\u00ADhyphen") == "softhyphen");
  CHECK(joined("\xED\xA0\x80 x \xF4\x90\x80\x80 y") == "x y");  // surrogates, above the last code point
}

TEST_CASE("words: of any bytes they are UTF-8 without blanks, and joined the same again") {
  Words pieces = split_words("a Bc d n't 's ' ’ - . , : 5 12 $ # \U0001F468 \u200D \uFE0F 猫 \u0301 \xFF");
  pieces.emplace_back(" ");
  std::mt19937 random(5);
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (int n = static_cast<int>(random() % 9); n >= 0; --n) text += pieces[random() % pieces.size()];
    for (const bool punctuation : {false, true}) {
      const WordsOptions options{.lower = i % 2 == 0, .punctuation = punctuation};
      const Words words = words_of(text, options);
      if (words_of(join_words(words), options) != words || split_words(join_words(words)) != words ||
          !is_utf8(join_words(words))) {
        FAIL_CHECK(text << " became " << join_words(words) << " and then " << joined(join_words(words), options));
        return;
      }
    }
  }
}

TEST_CASE("characters: small letters stay, and every code point goes through UTF-8 and back") {
  for (char32_t c = 1; c <= 0x10ffff; c += c < 0x3000 ? 1 : 7) {
    if (c >= 0xd800 && c <= 0xdfff) continue;
    const char32_t low = lower_case(c);
    std::string text;
    append_utf8(text, c);
    if (lower_case(low) != low || kind_of(low) != kind_of(c) || characters_of(text) != std::vector<char32_t>{c}) {
      FAIL_CHECK("U+" << std::hex << static_cast<unsigned>(c));
      return;
    }
  }
  CHECK(characters_of("a\xC3") == std::vector<char32_t>{'a', 0xfffd});
}

TEST_CASE("split_words: as it is, by blanks of ASCII") {
  CHECK(split_words("  A  dog\t. \n") == Words{"A", "dog", "."});
  CHECK(split_words(" \n").empty());
}
