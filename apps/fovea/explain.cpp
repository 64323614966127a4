// fovea explain INPUT... --model M -o OUT
#include <fmt/format.h>

#include <iostream>

#include "apps/fovea/verb.hpp"
#include "datasets/bad_file.hpp"
#include "modules/core/threads.hpp"
#include "pipeline/explain_operation.hpp"
#include "pipeline/stages/explain.hpp"

namespace fovea {
namespace {

constexpr const char* kExamples =
    R"(For each image: "photo.jpg.<map>.png", the map in colours over the picture with its legend; the values in the image's own
pixels ("photo.jpg.<map>.npy", or a 16-bit PNG); "photo.jpg.json" with the classes, the geometry and numbers about the map. For all of
them OUT/report.html.

Layers are named by globs: * within a name, ** across names, {a,b}. --list-layers says what a model has.

Examples:
  fovea explain photos/ --model pets.safetensors -o why
  fovea explain dog.jpg --model pets.safetensors -o why --method score_cam --class Beagle
  fovea explain photos/ --model pets.safetensors -o why --method attention --layer '**.spatial' --statistics
  fovea explain photos/ --model pets.safetensors -o why --method occlusion --faithfulness
)";

// The layers that the model has, one a line.
void print_layers(const std::string& name) try {
  const Model model = Model::load(name);
  const ThreadScope thread_scope;
  for (const explain::Layer& l : explain::layers_of(explained(model), usual_input(model)))
    std::cout << fmt::format("{:<60} {:<20} {}\n", l.name, explain::name_of(l.kind), l.shape.str());
} catch (const Error& e) {
  if (is_passing(e)) throw;
  throw UsageError(e.what());
}

}  // namespace

Command explain_command() {
  auto list = std::make_shared<bool>(false);
  Verb verb{"explain", "Show what a model looked at", kExamples, explain_operation()};
  verb.add_more = [list](OptionList& o) { o.flag("--list-layers", *list, "Print the model's layers and stop"); };
  verb.instead = [list](const std::string& model) {
    if (*list) print_layers(model);
    return *list;
  };
  return verb_command(std::move(verb));
}

}  // namespace fovea
