// fovea import FILE --recipe R -o MODEL: weights from PyTorch (safetensors, .pt) become a model of Fovea's.
#include <fmt/format.h>

#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/fovea/commands.hpp"
#include "apps/fovea/kept_f32.hpp"
#include "modules/io/files.hpp"
#include "modules/io/name_map.hpp"
#include "modules/io/torch_file.hpp"
#include "modules/model.hpp"
#include "modules/model_import.hpp"
#include "pipeline/exit_codes.hpp"

namespace fovea {
namespace {

constexpr const char* kExamples =
    R"(Names of torchvision, timm and Fovea are known for every backbone (`fovea list backbones`); others are said by rules of your own:
  - {from: "encoder.conv*.**", to: "backbone.layer$1.0.$2"}    # * is text without a dot, ** any text, $1 the first of them
Words that wrappers put in front (module., model., ema., student., _orig_mod., ... in any combination) are known. Of PyTorch's own files
only tensors are read, without running the code that they can hold; a file that needs its code is refused.
Class names are taken from the file's metadata (`classes`, JSON) when the recipe gives none, or their number only.
Blocks in slots stay fresh, and so does a head for another number of classes: that is said. Anything else that is missing or left
over is an error; --partial makes it a line of the report.

Examples:
  fovea import mobilenet_v2.safetensors --recipe recipe.yaml -o model.safetensors
  fovea import checkpoint.pth --recipe recipe.yaml --partial -o model.safetensors
  fovea import theirs.safetensors --recipe recipe.yaml --names names.yaml --partial -o model.safetensors)";

struct Settings {
  std::string file, recipe, out, names, storage = "f32", stem = "refuse";
  bool partial = false, json = false;
};

std::string text_of(const std::string& file) {
  const auto bytes = read_file(file);
  return {bytes.begin(), bytes.end()};
}

std::string counted(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 6;
  std::string text = std::to_string(names.size());
  for (std::size_t i = 0; i < names.size() && i < kShown; ++i) text += (i ? ", " : ": ") + names[i];
  return names.size() > kShown ? text + ", ..." : text;
}

void print(const Settings& s, const ImportReport& r, const Model& model, const std::string& head_note) {
  std::cout << fmt::format("{}: names of {}{}\n  loaded      {} tensors\n", s.file, r.source,
                           r.prefix.empty() ? "" : fmt::format(", below '{}'", r.prefix), r.loaded.size());
  if (!r.stem.empty()) std::cout << "  stem        " << r.stem << "\n";
  if (!r.in_slots.empty()) std::cout << "  fresh       in slots, " << counted(r.in_slots) << "\n";
  if (!r.fresh_head.empty()) std::cout << "  fresh       head, " << counted(r.fresh_head) << head_note << "\n";
  if (!r.missing.empty()) std::cout << "  missing     " << counted(r.missing) << "\n";
  if (!r.reshaped.empty()) std::cout << "  other shape " << counted(r.reshaped) << "\n";
  if (!r.unused.empty()) std::cout << "  unused      " << counted(r.unused) << "\n";
  std::cout << fmt::format("{}: {} parameters{}\n", s.out, model.params()->count(),
                           !model.classes().empty() ? fmt::format(", {} classes", model.classes().size()) : "");
}

nlohmann::json to_json(const ImportReport& r) {
  return {{"names", r.source},
          {"below", r.prefix},
          {"loaded", r.loaded},
          {"fresh_in_slots", r.in_slots},
          {"fresh_head", r.fresh_head},
          {"missing", r.missing},
          {"other_shape", r.reshaped},
          {"unused", r.unused},
          {"stem", r.stem}};
}

int run_import(const Settings& s) {
  const TensorFile file = read_weights(s.file);
  ImportOptions options;
  options.partial = s.partial;
  options.stem = s.stem == "sum" ? StemChannels::sum : s.stem == "repeat" ? StemChannels::repeat : StemChannels::refuse;
  if (!s.names.empty()) options.own = read_name_rules(text_of(s.names), s.names);
  const Imported imported = import_model(text_of(s.recipe), s.recipe, file, s.file, options);
  const auto kept = imported.model.save(s.out, s.storage == "f16" ? DType::f16 : DType::f32, imported.metadata);
  if (s.json) std::cout << to_json(imported.report).dump(2) << "\n";
  else print(s, imported.report, imported.model, imported.head_note);
  print_kept_f32(kept);
  return kExitDone;
}

}  // namespace

Command import_command() {
  auto s = std::make_shared<Settings>();
  Command c{"import", "Make a model of a recipe and weights from PyTorch", kExamples};
  c.options.word("file", s->file, "Weights, as .safetensors or PyTorch's .pt and .pth (torchvision's, timm's or other names)");
  c.options.require();
  c.options.word("--recipe", s->recipe, "Recipe of the network, its preprocessing and classes");
  c.options.require();
  c.options.word("-o,--out", s->out, "File to write");
  c.options.require();
  c.options.word("--names", s->names, "YAML rules for names, tried before the known ones");
  c.options.word(
      "--stem", s->stem,
      "Where the network takes other channels than the file's three: sum (of one channel) or repeat the first layer's weights",
      {"refuse", "sum", "repeat"});
  c.options.flag("--partial", s->partial, "Report what is missing, unused or of another shape instead of refusing it");
  c.options.word("--storage", s->storage, "f32, or f16 for half the size", {"f16", "f32"});
  c.options.flag("--json", s->json, "Print the report as JSON");
  c.run = [s] { return run_import(*s); };
  return c;
}

}  // namespace fovea
