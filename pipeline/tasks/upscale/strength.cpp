#include "pipeline/tasks/upscale/strength.hpp"

#include <optional>

#include "modules/io/yaml.hpp"

namespace fovea {
namespace {

// What the training of a network that has a strength began with: a model's name or file.
std::optional<std::string> beginning(const Model& model) {
  const Yaml recipe = Yaml::parse(model.recipe(), "recipe");
  if (!recipe.has("train")) return {};
  const Yaml train = recipe.at("train");
  if (!train.has("weights") || !train.has("degrade")) return {};
  return train.at("weights").scalar();
}

Tensor between(const Tensor& a, const Tensor& b, double share) {
  if (!is_floating(b.dtype())) return b;
  std::vector<double> mixed = a.values();
  const std::vector<double> end = b.values();
  for (std::size_t i = 0; i < mixed.size(); ++i) mixed[i] += share * (end[i] - mixed[i]);
  return Tensor::from(mixed, b.shape()).to(b.dtype());
}

}  // namespace

Model with_strength(const Model& model, double strength) {
  check(strength >= 0 && strength <= 1, "strength: expected 0 to 1, got ", strength);
  const auto name = beginning(model);
  check(name.has_value(), model.name(),
        " has no strength: expected a network that was fine-tuned on degraded pictures, with train.weights and train.degrade in "
        "its recipe");
  if (strength == 1) return model;
  const Model clean = Model::load(*name);
  const PathScope where(model.name() + " began with " + *name + ", which is another network");
  Model mixed = model.with_parameters(clean.params()->values());
  std::map<std::string, Tensor> values = mixed.params()->values();
  for (auto& [parameter, end] : model.params()->values()) values.at(parameter) = between(values.at(parameter), end, strength);
  mixed.params()->load(values);
  return mixed;
}

}  // namespace fovea
