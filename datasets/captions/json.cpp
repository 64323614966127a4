// Captions in JSON: COCO's, and that of Karpathy and Fei-Fei 2015, https://cs.stanford.edu/people/karpathy/deepimagesent/.
#include <functional>
#include <unordered_map>

#include "datasets/captions/collected.hpp"
#include "modules/core/json.hpp"

namespace fovea {
namespace {

// Karpathy's dataset_coco.json has 144 MB, and each of its words is a value.
constexpr JsonLimits kLimits{.bytes = std::size_t{512} << 20, .depth = 32, .values = 64'000'000};

// Calls take(entry), and leaves out the entries that it refuses.
void each_entry(const JsonValue& list, const std::string& where, CollectedCaptions& into,
                const std::function<void(const JsonValue&)>& take) {
  for (const JsonValue& entry : list.items()) try {
      take(entry);
    } catch (const std::exception& e) {
      const std::string reason = bad_file(where, e).reason;
      into.leave_out(reason.starts_with(where) ? reason : entry.where() + ": " + reason);
    }
}

void read_coco_captions(const JsonValue& json, const std::string& where, CollectedCaptions& into) {
  std::unordered_map<std::int64_t, std::string> names;
  each_entry(json.at("images"), where, into, [&](const JsonValue& image) {
    const auto id = image.at("id").whole<std::int64_t>();
    const std::string name = image.at("file_name").text();
    into.picture(name);
    check(names.emplace(id, name).second, image.at("id").where(), ": ", id, " is there twice");
  });
  each_entry(json.at("annotations"), where, into, [&](const JsonValue& annotation) {
    const JsonValue id = annotation.at("image_id");
    const auto name = names.find(id.whole<std::int64_t>());
    check(name != names.end(), id.where(), ": there is no image ", id.whole<std::int64_t>());
    into.caption(name->second, annotation.at("caption").text());
  });
}

void read_karpathy(const JsonValue& json, const std::string& where, CollectedCaptions& into) {
  each_entry(json.at("images"), where, into, [&](const JsonValue& image) {
    const std::string folder = image.has("filepath") ? image.at("filepath").text() + "/" : "";
    const std::string name = folder + image.at("filename").text();
    into.picture(name);
    if (image.has("split")) into.split(name, image.at("split").text());
    each_entry(image.at("sentences"), where, into,
               [&](const JsonValue& sentence) { into.caption(name, sentence.at("raw").text()); });
  });
}

}  // namespace

void read_captions_json(std::string_view text, const std::string& where, CollectedCaptions& into) {
  const JsonValue json = JsonValue::parse(text, where, kLimits);
  if (json.has("annotations")) read_coco_captions(json, where, into);
  else if (json.has("images")) read_karpathy(json, where, into);
  else fail(where, ": expected captions of COCO (images and annotations) or of Karpathy (images with sentences)");
}

}  // namespace fovea
