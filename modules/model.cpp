#include "modules/model.hpp"

#include <algorithm>
#include <cstdlib>

#include "modules/autograd/apply.hpp"
#include "modules/autograd/tap.hpp"
#include "modules/core/threads.hpp"
#include "modules/heads/upscale.hpp"
#include "modules/io/safetensors.hpp"
#include "modules/io/yaml.hpp"
#include "modules/nn/registry.hpp"

namespace fovea {

namespace fs = std::filesystem;

struct Model::State {
  std::string recipe, name;
  std::map<std::string, std::string> metadata;
  std::shared_ptr<ParamStore> params;
  std::unique_ptr<Block> network;
};

namespace {

constexpr const char* kFormatKey = "fovea.format";
constexpr const char* kRecipeKey = "fovea.recipe";

std::unique_ptr<Block> build(const Yaml& recipe, const Scope& scope) {
  recipe.only({"fovea", "model", "preprocess", "pipeline", "train"});
  check(recipe.has("fovea") && recipe.at("fovea").scalar() == "1", recipe.where(), ": expected 'fovea: 1' (the recipe format)");
  const Yaml& model = recipe.at("model");
  model.only({"head"});
  const Yaml& head = model.at("head");
  const std::string type = head.at("type").scalar();
  Args args = head.args();
  args.get("type", "", "which head");
  const Registry::Entry& entry = Registry::global().at(type);
  auto network = entry.make(scope, args.get("channels", 3, "channels of the input"), args);
  args.done();
  return network;
}

}  // namespace

Model Model::from_recipe(const std::string& yaml, std::uint64_t seed) {
  Model model;
  model.state_ = std::make_shared<State>();
  const Yaml recipe = Yaml::parse(yaml, "recipe");
  model.state_->recipe = recipe.str();
  model.state_->name =
      recipe.has("model") && recipe.at("model").has("head") ? recipe.at("model").at("head").at("type").scalar() : "model";
  model.state_->params = std::make_shared<ParamStore>(seed);
  model.state_->network = build(recipe, Scope(model.state_->params));
  return model;
}

fs::path Model::zoo_folder() {
  if (const char* given = std::getenv("FOVEA_ZOO")) return given;
  std::error_code ignored;
  const fs::path self = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  // Beside an installed program, else where this library was built or installed.
  for (const fs::path& candidate : {self / "../share/fovea/zoo", fs::path(FOVEA_ZOO_INSTALLED), fs::path(FOVEA_ZOO_SOURCE)})
    if (fs::is_directory(candidate, ignored)) return candidate.lexically_normal();
  return FOVEA_ZOO_SOURCE;
}

std::vector<std::string> Model::zoo() {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(zoo_folder(), ignored))
    if (fs::exists(entry.path() / "model.safetensors", ignored)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

Model Model::load(const std::string& name_or_file) {
  fs::path file = name_or_file;
  std::error_code ignored;
  const fs::path in_zoo = zoo_folder() / name_or_file / "model.safetensors";
  const bool named = name_or_file.find('/') == std::string::npos && fs::exists(in_zoo, ignored);
  if (named) file = in_zoo;
  else if (!fs::exists(file, ignored)) {
    std::string all;
    for (const std::string& n : zoo()) all += (all.empty() ? "" : ", ") + n;
    fail("'", name_or_file, "': no such file, and no model of the zoo is called so; the zoo has ", all.empty() ? "none" : all);
  }
  TensorFile content = read_safetensors(file);
  const auto recipe = content.metadata.find(kRecipeKey), format = content.metadata.find(kFormatKey);
  check(recipe != content.metadata.end() && format != content.metadata.end() && format->second == "1", file.string(),
        ": not a Fovea model: expected metadata fovea.format = 1 and fovea.recipe");
  Model model = from_recipe(recipe->second);
  model.state_->name = named ? name_or_file : file.stem().string();
  model.state_->metadata = content.metadata;
  PathScope where(file.string());
  model.state_->params->load(content.tensors);
  return model;
}

void Model::save(const fs::path& file, DType storage, std::map<std::string, std::string> metadata) const {
  check(storage == DType::f32 || storage == DType::f16, "save: expected f32 or f16, got ", name_of(storage));
  TensorFile content;
  for (const auto& [name, value] : state_->params->values()) content.tensors[name] = value.to(storage);
  content.metadata = state_->metadata;
  for (auto& [key, value] : metadata) content.metadata[key] = value;
  content.metadata[kFormatKey] = "1";
  content.metadata[kRecipeKey] = state_->recipe;
  write_safetensors(file, content);
}

Var Model::forward(const Var& x) const { return (*state_->network)(x); }

Tensor Model::run(const Tensor& x) const { return run(x, {}).output; }

Model::Result Model::run(const Tensor& x, const RunOptions& options) const {
  NoGrad no_grad;
  Lane lane;
  Precision precision(options.precision);
  TapScope taps(options.keep, options.pins);
  Result result;
  result.output = forward(Var(x)).value().to(DType::f32);
  for (const auto& [name, value] : taps.kept) result.taps.push_back({name, value.value().to(DType::f32)});
  return result;
}

const std::string& Model::recipe() const { return state_->recipe; }
const std::string& Model::name() const { return state_->name; }
const std::map<std::string, std::string>& Model::metadata() const { return state_->metadata; }
const std::shared_ptr<ParamStore>& Model::params() const { return state_->params; }

UpscaleFacts Model::upscale() const {
  const auto* network = dynamic_cast<const UpscaleNetwork*>(state_->network.get());
  check(network != nullptr, name(), ": not an upscaling model");
  return network->facts();
}

std::int64_t Model::multiply_adds(const Shape& input) const {
  return trace({input}, [&](const Vars& in) { return Vars{forward(in[0])}; }).multiply_adds();
}

}  // namespace fovea
