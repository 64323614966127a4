// Words of any bytes, encoders from JSON and the readers of captions: an answer or an Error.
#include <cstdlib>
#include <string>

#include "datasets/captions/collected.hpp"
#include "datasets/text/byte_pairs.hpp"
#include "datasets/text/vocabulary.hpp"
#include "datasets/text/words.hpp"
#include "modules/core/error.hpp"
#include "tests/fuzz/target.hpp"

using namespace fovea;

namespace {

template <class F>
void may_refuse(const F& f) {
  try {
    f();
  } catch (const Error&) {}
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(bytes), size);
  const auto words = words_of(text);
  if (words_of(join_words(words)) != words) std::abort();
  may_refuse([&] {
    const auto encoder = encoder_from(JsonValue::parse(text, "x"));
    const std::string said = encoder->decode(encoder->encode(text));
    if (encoder->json()["kind"] == BytePairs::kKind && said != text) std::abort();
  });
  may_refuse([&] {
    CollectedCaptions captions("x");
    read_captions_json(text, "x", captions);
    captions.usable({});
  });
  may_refuse([&] {
    CollectedCaptions captions("x");
    read_caption_lines(text, "x", captions);
    read_split_list(text, "x", "train", captions);
    captions.usable({.split = "train"});
  });
  return 0;
}

namespace fovea::fuzz {

std::vector<std::vector<std::uint8_t>> seeds() {
  std::vector<std::vector<std::uint8_t>> all;
  const std::vector<std::string> texts{"A dog's life: 3.5 \xF0\x9F\x90\xB6 dogs can't run", "a dog runs"};
  for (const std::string& text :
       {texts[0], Vocabulary::of(texts, 1).json().dump(), BytePairs::of(texts, 270).json().dump(),
        std::string("a.jpg#0\tA dog .\nb.jpg#1\tCaf\xC3\xA9\n"), std::string("image,caption\na.jpg,\"A \"\"dog\"\"\"\n"),
        std::string(R"({"images":[{"id":1,"file_name":"a"}],"annotations":[{"image_id":1,"caption":"A dog"}]})"),
        std::string(R"({"images":[{"filename":"a","split":"train","sentences":[{"raw":"A dog"}]}]})")})
    all.emplace_back(text.begin(), text.end());
  return all;
}

}  // namespace fovea::fuzz
