#include "modules/model.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "modules/autograd/apply.hpp"
#include "modules/autograd/tap.hpp"
#include "modules/core/budget.hpp"
#include "modules/core/threads.hpp"
#include "modules/io/accepts.hpp"
#include "modules/io/files.hpp"
#include "modules/io/name_map.hpp"
#include "modules/io/safetensors.hpp"
#include "modules/io/torch_file.hpp"
#include "modules/io/yaml.hpp"
#include "modules/license.hpp"
#include "modules/network_shapes.hpp"
#include "modules/nn/skip_init.hpp"
#include "modules/nn/training.hpp"
#include "modules/plan/cache.hpp"
#include "modules/weights.hpp"

namespace fovea {

namespace fs = std::filesystem;

struct Model::State {
  std::string recipe, name;
  std::map<std::string, std::string> metadata;
  std::shared_ptr<ParamStore> params;
  std::size_t own = 0;  // parameters of the network; a training may declare more behind them, which are not saved
  std::unique_ptr<Network> network;
  Preprocess preprocess;
  std::unique_ptr<Weights> weights;
  plan::Cache plans;
};

namespace {

constexpr const char* kFormatKey = "fovea.format";
constexpr const char* kRecipeKey = "fovea.recipe";
constexpr std::int64_t kAnySide = 64;  // of a picture to count with, where the network takes any

void check_format(const Yaml& recipe) {
  recipe.only({"fovea", "license", "accepts", "codes", "model", "preprocess", "text", "fitted", "train"});
  check(recipe.has("fovea") && recipe.at("fovea").scalar() == "1", recipe.where(), ": expected 'fovea: 1' (the recipe format)");
  read_license(recipe);
  read_accepts(recipe);
}

// Infinities and NaN do not fit: a value that is not finite stays what it is.
bool fits_f16(const Tensor& t) {
  constexpr double kLargest = 65519.99;  // from 65520 on, rounding gives infinity
  const std::vector<double> values = t.values();
  return std::all_of(values.begin(), values.end(), [](double v) { return std::abs(v) <= kLargest; });
}

// What the backbone takes unless it says so itself.
int preprocess_channels(const Yaml& recipe) {
  if (!recipe.has("preprocess")) return 3;
  Args keys = recipe.at("preprocess").args();
  return read_channels(keys, 3);
}

// Where the recipe says nothing of preprocessing, the network's kind does.
Preprocess usual_preprocess(const Network& network) {
  const auto channels = static_cast<int>(network.channels());
  if (network.head().info().any_size) return Preprocess::none(channels);
  return read_preprocess(Yaml::parse("{}", "preprocess"), channels);
}

// What a model without a file is called.
std::string name_of(const Yaml& recipe) {
  if (!recipe.has("model")) return "model";
  for (const char* part : {"backbone", "head"})
    if (recipe.at("model").has(part)) return recipe.at("model").at(part).at("type").scalar();
  return "model";
}

}  // namespace

Model Model::from_recipe(const std::string& yaml, std::uint64_t seed) { return from_recipe(Yaml::parse(yaml, "recipe"), seed); }
Model Model::from_recipe(const Yaml& recipe, std::uint64_t seed) { return build(recipe, seed, nullptr); }

Model Model::build(const Yaml& recipe, std::uint64_t seed, const std::map<std::string, Shape>* stored) {
  Model model;
  model.state_ = std::make_shared<State>();
  model.state_->recipe = recipe.str();
  model.state_->name = name_of(recipe);
  model.state_->params = std::make_shared<ParamStore>(seed);
  model.state_->weights = std::make_unique<Weights>(model.state_->params);
  check_format(recipe);
  const int colours = preprocess_channels(recipe);
  const NetworkShapes shapes(recipe.at("model"), colours);
  const std::int64_t channels = shapes.network().channels();
  if (stored) shapes.check_stored(*stored);
  model.state_->preprocess = recipe.has("preprocess") ? read_preprocess(recipe.at("preprocess"), static_cast<int>(channels))
                                                      : usual_preprocess(shapes.network());
  check(model.state_->preprocess.channels == channels, recipe.where(), ": preprocess gives ", model.state_->preprocess.channels,
        " channels, and the backbone takes in: ", channels);
  const Preprocess& p = model.state_->preprocess;
  const bool any = !recipe.has("preprocess") || p.resize == Preprocess::Resize::none;  // who runs it chooses the size
  shapes.check_run(any ? kAnySide : p.height, any ? kAnySide : p.width);
  model.state_->network = std::make_unique<Network>(recipe.at("model"), model.state_->params, colours);
  model.state_->own = model.state_->params->entries().size();
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
  std::vector<std::uint8_t> bytes = read_file(file);
  check(!is_torch_file(bytes), file.string(), ": weights of PyTorch, not a Fovea model; `fovea import` makes one of them");
  const TensorFileHeader header = parse_safetensors_header(bytes, file.string());
  const auto recipe = header.metadata.find(kRecipeKey), format = header.metadata.find(kFormatKey);
  check(recipe != header.metadata.end() && format != header.metadata.end() && format->second == "1", file.string(),
        ": not a Fovea model: expected metadata fovea.format = 1 and fovea.recipe; weights from elsewhere become one by `fovea "
        "import`");
  Model model = [&] {
    const SkipInit loaded_below;
    const PathScope of(file.string());
    return build(Yaml::parse(recipe->second, "recipe"), 0, &header.shapes);
  }();
  TensorFile content = parse_safetensors(bytes, file.string());
  bytes = {};
  model.state_->name = named ? name_or_file : file.stem().string();
  model.state_->metadata = content.metadata;
  apply_license_rules(model);
  PathScope where(file.string());
  for (const auto& [key, value] : content.tensors) check_finite(key, value);
  model.state_->weights->load(file, content.tensors);
  return model;
}

Model Model::with_parameters(const std::map<std::string, Tensor>& values) const {
  Model other = [&] {
    const SkipInit loaded_below;
    return build(Yaml::parse(recipe(), "recipe"), 0, nullptr);
  }();
  other.state_->name = name();
  other.state_->metadata = metadata();
  other.params()->load(values);
  return other;
}

std::vector<std::string> Model::save(const fs::path& file, DType storage, std::map<std::string, std::string> metadata) const {
  check(storage == DType::f32 || storage == DType::f16, "save: expected f32 or f16, got ", name_of(storage));
  const auto there = state_->weights->use();
  TensorFile content;
  std::vector<std::string> kept;
  for (std::size_t i = 0; i < state_->own; ++i) {
    const ParamStore::Entry& e = state_->params->entries()[i];
    const Tensor& value = e.value.value();
    const bool narrows = is_floating(value.dtype()) && (storage == DType::f32 || fits_f16(value));
    if (!narrows && is_floating(value.dtype())) kept.push_back(e.name);
    content.tensors[e.name] = narrows ? value.to(storage) : is_floating(value.dtype()) ? value.to(DType::f32) : value;
  }
  content.metadata = state_->metadata;
  content.metadata.merge(license_metadata(license_of(*this)));
  for (auto& [key, value] : metadata) content.metadata[key] = value;
  content.metadata[kFormatKey] = "1";
  content.metadata[kRecipeKey] = state_->recipe;
  write_safetensors(file, content);
  return kept;
}

Var Model::forward(const Var& x) const { return (*state_->network)(x).front(); }

NamedVars Model::outputs(const Var& x) const {
  NamedVars named;
  const Vars values = (*state_->network)(x);
  const std::vector<OutputInfo> given = info().given();
  for (std::size_t i = 0; i < values.size(); ++i) named.add(given[i].name, values[i]);
  return named;
}

Tensor Model::run(const Tensor& x) const { return run(x, {}).output; }

plan::Plan Model::compile(const Shape& input, const CompileOptions& options) const {
  check(state_->weights->facts().f32, "compile: expected parameters in f32");
  check(!Training::active(), "compile: expected a network in use, this thread is training it");
  const auto network = [&](const Vars& in) { return (*state_->network)(in[0]); };
  const plan::Options wanted{.keep = options.keep,
                             .feeds = options.feeds,
                             .threads = options.threads,
                             .precision = options.precision,
                             .shared = state_->plans.shared()};
  std::optional<plan::Plan> made;
  state_->weights->with_making([&](bool released) {
    const ShapeBudget budget(run_limit(), false);
    made = plan::compile(network, {input}, wanted);
    check_memory(made->memory().arena + made->memory().constants, run_limit(), "a run on " + input.str());
    if (released) made->release_parameters();
  });
  return *made;
}

void Model::release_weights() const {
  state_->weights->release();
  state_->plans.clear();  // they follow the parameters
}

std::string Model::fingerprint() const { return state_->weights->fingerprint(); }

Model::Result Model::run(const Tensor& x, const RunOptions& options) const {
  const bool planned = x.dtype() == DType::f32 && !Training::active();
  const Weights::Facts facts = state_->weights->facts();
  return planned && facts.f32 ? run_planned(x, options, facts.identity) : run_eager(x, options);
}

Model::Result Model::run_planned(const Tensor& x, const RunOptions& options, std::uint64_t parameters) const {
  CompileOptions wanted{.keep = options.keep, .precision = options.precision};
  Tensors inputs{x};
  for (const auto& [name, value] : options.feeds) wanted.feeds[name] = value.shape(), inputs.push_back(value);
  const plan::Cache::Key key{x.shape(), wanted.keep, wanted.feeds, threads(), wanted.precision, parameters};
  auto made = state_->plans.get(key, [&] { return compile(x.shape(), wanted); }).run(inputs);
  Result result;
  for (std::size_t i = 0; i < made.outputs.size(); ++i)
    result.outputs.add(info().outputs[i].name, made.outputs[i].to(DType::f32));
  result.output = result.outputs.first();
  for (auto& t : made.taps) result.taps.push_back({std::move(t.name), t.value.to(DType::f32)});
  return result;
}

Model::Result Model::run_eager(const Tensor& x, const RunOptions& options) const {
  const auto there = state_->weights->use();
  NoGrad no_grad;
  ThreadScope thread_scope;
  Precision precision(options.precision);
  TapScope taps(options.keep, {options.feeds.begin(), options.feeds.end()});
  Result result;
  for (const auto& [name, value] : outputs(Var(x))) result.outputs.add(name, value.value().to(DType::f32));
  result.output = result.outputs.first();
  for (const auto& [name, value] : taps.kept) result.taps.push_back({name, value.value().to(DType::f32)});
  return result;
}

const std::string& Model::recipe() const { return state_->recipe; }
const std::string& Model::name() const { return state_->name; }
const std::map<std::string, std::string>& Model::metadata() const { return state_->metadata; }
const std::shared_ptr<ParamStore>& Model::params() const { return state_->params; }

const HeadInfo& Model::info() const { return head().info(); }
const Head& Model::head() const { return state_->network->head(); }
const std::vector<std::string>& Model::classes() const { return info().classes; }
std::int64_t Model::channels() const { return state_->network->channels(); }
const Preprocess& Model::preprocess() const { return state_->preprocess; }

std::vector<Feature> Model::features() const {
  return state_->network->backbone() ? state_->network->backbone()->features() : std::vector<Feature>{};
}

const std::vector<SlotRules::Offer>& Model::slots() const { return state_->network->slots().offers(); }

std::int64_t Model::multiply_adds(const Shape& input) const {
  const auto there = state_->weights->use();
  return trace({input}, [&](const Vars& in) { return (*state_->network)(in[0]); }).multiply_adds();
}

}  // namespace fovea
