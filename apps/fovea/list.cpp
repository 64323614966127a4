// fovea list WHAT: what there is to put into a recipe, and where a recipe has room for it. fovea describe RECIPE: what it builds.
#include <fmt/format.h>

#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/fovea/any_model.hpp"
#include "apps/fovea/commands.hpp"
#include "apps/fovea/license_line.hpp"
#include "apps/fovea/list_training.hpp"
#include "modules/model.hpp"
#include "modules/nn/catalogue.hpp"
#include "pipeline/exit_codes.hpp"
#include "pipeline/stages/explain.hpp"

namespace fovea {
namespace {

using Json = nlohmann::ordered_json;

struct Settings {
  std::string what, recipe, block;
  std::int64_t channels = 256, side = 56;
  bool json = false;
};

std::string counted(std::int64_t n) {
  if (n < 0) return "-";
  if (n < 10000) return std::to_string(n);
  if (n < 10000000) return fmt::format("{:.1f} k", static_cast<double>(n) / 1e3);
  if (n < 10000000000) return fmt::format("{:.1f} M", static_cast<double>(n) / 1e6);
  return fmt::format("{:.1f} G", static_cast<double>(n) / 1e9);
}

const std::vector<Kind>& kinds_of(const std::string& what) {
  static const std::map<std::string, std::vector<Kind>> kinds{
      {"attention", {Kind::map, Kind::tokens, Kind::conv, Kind::gate, Kind::levels, Kind::sequences}},
      {"backbones", {Kind::backbone}},
      {"heads", {Kind::head, Kind::network}},
      {"necks", {Kind::neck}}};
  return kinds.at(what);
}

Json to_json(const Described& d) {
  Json options = Json::array();
  for (const auto& o : d.options) options.push_back({{"name", o.name}, {"default", o.fallback}, {"text", o.text}});
  Json j{{"name", d.name}, {"text", d.text}, {"paper", d.paper}, {"kind", name_of(d.kind)}, {"fits", place_of(d.kind)}};
  if (!d.error.empty()) j["error"] = d.error;
  j["options"] = options;
  j["parameters"] = d.parameters < 0 ? Json() : Json(d.parameters);
  j["multiply_adds"] = d.multiply_adds < 0 ? Json() : Json(d.multiply_adds);
  return j;
}

void print(const Described& d, bool details) {
  std::cout << fmt::format("{:<24} {:>9} {:>9}  {}. {}\n", d.name, counted(d.parameters), counted(d.multiply_adds), d.text,
                           d.paper);
  if (!details) return;
  std::cout << fmt::format("    {}; fits {}\n", name_of(d.kind), place_of(d.kind));
  if (!d.error.empty()) std::cout << "    as it comes, not at this size: " << d.error << "\n";
  for (const auto& o : d.options)
    std::cout << fmt::format("    {:<18} {:<12} {}\n", o.name, o.fallback.empty() ? "-" : o.fallback, o.text);
}

int list_entries(const Settings& s) {
  const Registry& registry = Registry::global();
  Json all = Json::array();
  const std::string size = s.what == "backbones" ? "3x224x224" : fmt::format("{}x{}x{}", s.channels, s.side, s.side);
  if (!s.block.empty()) registry.at(s.block);
  if (!s.json) std::cout << fmt::format("{:<24} {:>9} {:>9}  on {}\n", "name", "params", "mult-adds", size);
  for (const std::string& name : registry.names()) {
    const Registry::Entry& entry = registry.at(name);
    const auto& kinds = kinds_of(s.what);
    if (std::find(kinds.begin(), kinds.end(), entry.kind) == kinds.end() || (!s.block.empty() && name != s.block)) continue;
    const Described d = describe(entry, s.channels, s.side);
    if (s.json) all.push_back(to_json(d));
    else print(d, true);
  }
  if (s.json) std::cout << all.dump(2) << "\n";
  return kExitDone;
}

Json slots_json(const Model& model) {
  Json slots = Json::array();
  for (const auto& o : model.slots())
    slots.push_back({{"at", o.path}, {"kind", o.kind}, {"channels", o.channels}, {"blocks", o.blocks}});
  return slots;
}

void print_slots(const Model& model, bool filled_only) {
  for (const auto& o : model.slots()) {
    if (filled_only && o.blocks.empty()) continue;
    std::cout << fmt::format("{:<56} {:<6} {:>5}  {}\n", o.path, o.kind, o.channels, fmt::join(o.blocks, ", "));
  }
}

int list_slots(const Settings& s) {
  check(!s.recipe.empty(), "list slots: expected a recipe or a model: fovea list slots RECIPE");
  const Model model = any_model(s.recipe);
  if (s.json) {
    std::cout << slots_json(model).dump(2) << "\n";
    return kExitDone;
  }
  std::cout << fmt::format("{:<56} {:<6} {:>5}  {}\n", "at", "kind", "width", "blocks");
  print_slots(model, false);
  return kExitDone;
}

Json outputs_json(const Model& model, const Shape& input) {
  Json outputs = Json::array();
  for (const OutputInfo& o : model.info().outputs)
    outputs.push_back({{"name", o.name}, {"kind", o.kind}, {"shape", o.shape(input).str()}});
  return outputs;
}

Json license_json(const Model& model) {
  const License license = license_of(model);
  const auto said = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
  return {{"weights", said(license.weights)}, {"data", said(license.data)}};
}

int run_describe(const Settings& s) {
  const Model model = any_model(s.recipe);
  const Shape input = usual_input(model);
  const std::int64_t work = model.multiply_adds(input);
  if (s.json) {
    Json features = Json::array();
    for (const Feature& f : model.features())
      features.push_back({{"name", f.name}, {"channels", f.channels}, {"stride", f.stride}});
    std::cout << Json{{"name", model.name()},
                      {"parameters", model.params()->count()},
                      {"height", input[2]},
                      {"width", input[3]},
                      {"channels", input[1]},
                      {"multiply_adds", work},
                      {"task", model.info().task},
                      {"outputs", outputs_json(model, input)},
                      {"features", features},
                      {"slots", slots_json(model)},
                      {"license", license_json(model)}}
                     .dump(2, ' ', false,
                           Json::error_handler_t::replace)  // a model's name is a file's, and its terms may be anything
              << "\n";
    return kExitDone;
  }
  std::cout << fmt::format("{}: {} parameters, {} multiply-adds at {}x{}x{}\n", model.name(), counted(model.params()->count()),
                           counted(work), input[1], input[2], input[3]);
  std::cout << "  " << license_text(license_of(model)) << "\n";
  for (const OutputInfo& o : model.info().outputs)
    std::cout << fmt::format("  output  {:<20} {}, {}, for the task {}\n", o.name, o.kind, o.shape(input).str(),
                             model.info().task);
  for (const Feature& f : model.features())
    std::cout << fmt::format("  feature {:<20} {:>5} channels, stride {}\n", f.name, f.channels, f.stride);
  std::size_t filled = 0;
  for (const auto& o : model.slots()) filled += !o.blocks.empty();
  std::cout << fmt::format("{} slots, {} with blocks (fovea list slots names all)\n", model.slots().size(), filled);
  print_slots(model, true);
  return kExitDone;
}

}  // namespace

Command list_command() {
  auto s = std::make_shared<Settings>();
  Command c{"list",
            "What there is for recipes: attention blocks, backbones, necks, heads, keys of a training; the slots of a recipe"};
  c.options.word("what", s->what, "attention, backbones, necks, heads, training or slots",
                 {"attention", "backbones", "necks", "heads", "training", "slots"});
  c.options.require();
  c.options.word("which", s->recipe, "slots: a recipe or model; training: a task; else the name of one entry");
  c.options.integer("--channels", s->channels, 1, 65536, "Of the map that parameters and arithmetic are counted for");
  c.options.integer("--side", s->side, 1, 4096, "Its height and width");
  c.options.flag("--json", s->json, "As JSON");
  c.run = [s] {
    if (s->what == "slots") return list_slots(*s);
    if (s->what == "training") return list_training(s->recipe, s->json);
    s->block = s->recipe;
    return list_entries(*s);
  };
  return c;
}

Command describe_command() {
  auto s = std::make_shared<Settings>();
  Command c{"describe", "What a recipe builds: features, blocks in slots, parameters, arithmetic"};
  c.options.word("recipe", s->recipe, "Recipe, .safetensors file or name in the zoo");
  c.options.require();
  c.options.flag("--json", s->json, "As JSON");
  c.run = [s] { return run_describe(*s); };
  return c;
}

}  // namespace fovea
