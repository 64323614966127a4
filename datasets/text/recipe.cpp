#include "datasets/text/recipe.hpp"

namespace fovea {

void set_text_encoder(Yaml& recipe, const TextEncoder& encoder) {
  // A scalar in quotes: as a mapping the words "1" and "null" would be something else than words.
  recipe.set("text", nlohmann::json(encoder.json().dump()).dump());
}

std::unique_ptr<TextEncoder> text_encoder_of(const Yaml& recipe) {
  if (!recipe.has("text")) return nullptr;
  const Yaml& text = recipe.at("text");
  return encoder_from(JsonValue::parse(text.scalar(), text.where() + ": text"));
}

std::unique_ptr<TextEncoder> text_encoder_of(const std::string& recipe) { return text_encoder_of(Yaml::parse(recipe, "recipe")); }

}  // namespace fovea
