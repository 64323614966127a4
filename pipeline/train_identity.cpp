#include "pipeline/train_identity.hpp"

#include <fmt/format.h>

#include <map>

#include "modules/autograd/apply.hpp"
#include "modules/core/fingerprint.hpp"
#include "modules/core/threads.hpp"
#include "modules/io/files.hpp"
#include "modules/io/json.hpp"
#include "modules/train/distill.hpp"
#include "modules/train/recipe_changes.hpp"
#include "pipeline/train_run.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

constexpr const char* kName = "training.json";
// To be raised whenever the same recipe and data would train another network than before.
constexpr int kTrainingRevision = 1;
constexpr std::size_t kNamed = 3;  // files that a sentence names

// Names are bytes, whatever the file system calls them; a file of ours holds text.
std::string as_text(const std::string& bytes) {
  return parse_json(nlohmann::json(bytes).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace), "a file's name");
}

std::string name_below(const fs::path& file, const fs::path& root) {
  const fs::path relative = file.lexically_normal().lexically_relative(root.lexically_normal());
  const bool below = !relative.empty() && *relative.begin() != "..";
  return (below ? relative : fs::absolute(file).lexically_normal()).generic_string();
}

void read_content(const fs::path& path, TrainIdentity::File& file) {
  try {
    const auto bytes = read_file(path);
    file.size = static_cast<std::int64_t>(bytes.size());
    file.content = fingerprint({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  } catch (const Error&) { file.size = -1; }
}

std::string listed(const std::vector<std::string>& names) {
  std::string text = fmt::format("{} {}", names.size(), names.size() == 1 ? "file" : "files");
  std::string some;
  for (std::size_t i = 0; i < std::min(names.size(), kNamed); ++i) some += (some.empty() ? "" : ", ") + names[i];
  return text + " (" + some + (names.size() > kNamed ? ", ..." : "") + ")";
}

void compare_files(const TrainIdentity& then, const TrainIdentity& now, std::vector<std::string>& out) {
  std::map<std::string, const TrainIdentity::File*> before;
  for (const auto& f : then.files) before[f.name] = &f;
  std::vector<std::string> came, changed, relabelled, went;
  for (const auto& f : now.files) {
    const auto it = before.find(f.name);
    if (it == before.end()) {
      came.push_back(f.name);
      continue;
    }
    if (it->second->content != f.content || it->second->size != f.size) changed.push_back(f.name);
    else if (it->second->label != f.label) relabelled.push_back(f.name);
    before.erase(it);
  }
  for (const auto& f : then.files)
    if (before.count(f.name)) went.push_back(f.name);
  const auto say = [&](const std::vector<std::string>& names, const char* what) {
    if (!names.empty()) out.push_back("the data: " + listed(names) + " " + what);
  };
  say(came, "came");
  say(went, "went");
  say(changed, "changed");
  say(relabelled, "got another label");
  if (came.empty() && went.empty() && changed.empty() && relabelled.empty() && then.files != now.files)
    out.push_back("the data: their files come in another order");
}

nlohmann::json to_json(const TrainIdentity& identity) {
  nlohmann::json files = nlohmann::json::array(), models = nlohmann::json::array();
  for (const auto& f : identity.files) files.push_back({f.name, f.label, f.size, f.content});
  for (const auto& [name, print] : identity.models) models.push_back({name, print});
  return {{"code", identity.code},
          {"recipe", identity.recipe},
          {"precision", identity.precision},
          {"files", files},
          {"models", models}};
}

std::string precision_of(const Yaml& train) {
  Args a = train.args();
  return std::string(name_of(parse_precision(a.get("precision", "f32", "f32, bf16 or auto"))));
}

}  // namespace

std::string TrainIdentity::data_key() const {
  const nlohmann::json json = to_json(*this);
  return fingerprint(json.at("files").dump() + json.at("models").dump());
}

TrainIdentity identity_of(const Yaml& recipe, const fs::path& root) {
  const Yaml& train = recipe.at("train");
  TrainIdentity identity{fmt::format("{} ({})", FOVEA_VERSION, kTrainingRevision), recipe.str(), precision_of(train), {}, {}};
  const std::vector<TrainingFile> files = task_of_training(recipe).files(recipe, root);
  identity.files.resize(files.size());
  parallel_blocks(static_cast<std::int64_t>(files.size()), [&](std::int64_t i) {
    const TrainingFile& file = files[static_cast<std::size_t>(i)];
    TrainIdentity::File& out = identity.files[static_cast<std::size_t>(i)];
    out.name = as_text(name_below(file.path, root));
    out.label = as_text(file.label);
    read_content(file.path, out);
  });
  if (train.has("teacher")) identity.models.emplace_back("teacher", load_teacher(train.at("teacher"), root).fingerprint());
  Args a = train.args();
  if (const std::string weights = a.get("weights", "", "model file to start from"); !weights.empty())
    identity.models.emplace_back("weights", Model::load(weights).fingerprint());
  return identity;
}

std::vector<std::string> differences(const TrainIdentity& then, const TrainIdentity& now, bool end_may_move) {
  std::vector<std::string> out;
  if (then.code != now.code) out.push_back("the code: fovea " + then.code + " then, " + now.code + " now");
  for (const RecipeChange& change : recipe_changes(then.recipe, now.recipe))
    if (!changes_no_result(change.key) && !(end_may_move && changes_the_end(change.key)))
      out.push_back("the recipe: " + change.str());
  if (then.precision != now.precision) out.push_back("the precision: " + then.precision + " then, " + now.precision + " now");
  compare_files(then, now, out);
  for (const auto& [name, print] : now.models)
    for (const auto& [other, before] : then.models)
      if (name == other && print != before) out.push_back("the model that `" + name + "` names has other weights");
  return out;
}

void write_identity(const fs::path& folder, const TrainIdentity& identity) {
  const std::string text = to_json(identity).dump(1) + "\n";
  write_file_atomically(folder / kName, text.data(), text.size());
}

std::optional<TrainIdentity> read_identity(const fs::path& folder) {
  constexpr JsonLimits limits{.bytes = std::size_t{1} << 30, .depth = 8, .values = 20'000'000};  // a line a picture
  if (!fs::exists(folder / kName)) return std::nullopt;
  try {
    const JsonValue json = read_json(folder / kName, limits);
    TrainIdentity identity{json.at("code").text(), json.at("recipe").text(), json.at("precision").text(), {}, {}};
    for (const JsonValue& file : json.at("files").items()) {
      const auto f = file.items();
      if (f.size() != 4) file.wrong("name, label, size and content");
      identity.files.push_back({f[0].text(), f[1].text(), f[2].whole<std::int64_t>(), f[3].text()});
    }
    for (const JsonValue& model : json.at("models").items()) {
      const auto m = model.items();
      if (m.size() != 2) model.wrong("key and content");
      identity.models.emplace_back(m[0].text(), m[1].text());
    }
    return identity;
  } catch (const Error&) { return std::nullopt; }  // damaged: nothing says what it was
}

}  // namespace fovea
