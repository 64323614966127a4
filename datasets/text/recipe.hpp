// The text encoder of a model lies in its recipe, so that the model's file is whole by itself: `text: '{"kind": "words", ...}'`, JSON
// as TextEncoder::json() writes it, in one scalar beside `model:` and `preprocess:`.
#pragma once

#include "datasets/text/encoder.hpp"
#include "modules/io/yaml.hpp"

namespace fovea {

// Error for an encoder that is too large for a recipe.
void set_text_encoder(Yaml& recipe, const TextEncoder& encoder);

// Null where the recipe has no key `text`. Error, as encoder_from, opened by where the key stands.
std::unique_ptr<TextEncoder> text_encoder_of(const Yaml& recipe);
std::unique_ptr<TextEncoder> text_encoder_of(const std::string& recipe);  // of Model::recipe()

}  // namespace fovea
