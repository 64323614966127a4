// fovea study RECIPE --blocks none,se,cbam --seeds 3 -o OUT
#include "apps/fovea/study.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <sstream>

#include "apps/fovea/commands.hpp"
#include "apps/fovea/median.hpp"
#include "apps/fovea/train_progress.hpp"
#include "modules/core/threads.hpp"
#include "modules/io/files.hpp"
#include "modules/io/json.hpp"
#include "modules/nn/registry.hpp"
#include "pipeline/exit_codes.hpp"
#include "pipeline/interrupt.hpp"
#include "pipeline/sinks/folder_lock.hpp"
#include "pipeline/stages/explain.hpp"
#include "pipeline/train_identity.hpp"
#include "pipeline/train_run.hpp"

namespace fovea {
namespace {

namespace fs = std::filesystem;

constexpr const char* kExamples =
    R"(Trains the recipe's network once for each block and seed, with the block in the given slots, and writes study.txt, study.csv and study.svg.
A block is NAME, NAME:option=value, or NAME@SLOTS to put it somewhere else than --at; `none` is the network without; a key of the model with
another value stands for the network with that (model.head.attention=spatial). Every training has
its folder under OUT; what is done is not done again when the command is given again. Where the recipe, the data or fovea changed since, the training
is made again, what differs is named, and what was there is kept beside it, with `.old-` behind its name.

Example:
  fovea study study.yaml --blocks none,se,eca,cbam:reduction=8,deform_conv@backbone.layer3.*.conv2 --seeds 3 -o study
Exit codes: 0 all done, 64 wrong usage, 75 stopped, go on by giving the command again.)";

struct Settings {
  std::string recipe, out = "study", data_root = ".", at = "backbone.**.pre_add";
  std::vector<std::string> blocks, overrides;
  int seeds = 3, pictures = 24, threads = 0;
};

// A folder's name for any label.
std::string folder_of(const std::string& label) {
  std::string name;
  for (const char c : label) name += std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' ? c : '_';
  return name;
}

// Seconds that the steps of a training took, over all its starts.
double seconds_of(const fs::path& log) {
  std::ifstream in(log);
  double seconds = 0, before = 0;
  for (std::string line; std::getline(in, line);) {
    const JsonValue record = JsonValue::parse(line, log.string());
    if (!record.has("steps_per_second")) continue;
    seconds += (record.at("step").number() - before) / record.at("steps_per_second").number();
    before = record.at("step").number();
  }
  return seconds;
}

// All numbers below `json`, by their path: "psnr_y.Set5".
void collect(const nlohmann::json& json, const std::string& path, std::map<std::string, double>& out) {
  for (const auto& [key, value] : json.items()) {
    const std::string name = path.empty() ? key : path + "." + key;
    if (value.is_number()) out[name] = value;
    else if (value.is_object()) collect(value, name, out);
  }
}

// The best validation of a training.
StudyResult best_of(const fs::path& log) {
  std::ifstream in(log);
  nlohmann::json best;
  for (std::string line; std::getline(in, line);) {
    const auto record = parse_json(line, log.string());
    if (record.contains("score") && (best.is_null() || record.at("score") >= best.at("score"))) best = record;
  }
  check(best.is_object() && best.size() > 2, log.string(),
        ": the training validated nothing: give it `validate` or `validate_share`");
  StudyResult result;
  result.score = best.at("score");
  collect(best, "", result.metrics);
  for (const char* key : {"step", "score"}) result.metrics.erase(key);
  return result;
}

// The result of a training that is done; nothing where there is none, or one of an older form.
std::optional<StudyResult> result_in(const fs::path& folder) {
  if (!fs::exists(folder / "result.json")) return std::nullopt;
  try {
    const JsonValue json = read_json(folder / "result.json");
    if (!json.has("score") || !json.has("pictures")) return std::nullopt;
    return json.raw().get<StudyResult>();
  } catch (const std::exception&) { return std::nullopt; }  // damaged: trained again
}

void write_result(const fs::path& folder, const StudyResult& result) {
  write_file_atomically(folder / "result.json", nlohmann::json(result).dump(2) + "\n");
}

// Puts aside what another recipe, other data or other code left where a training is to stand, and says what differs. Results are kept: they
// took long.
void make_room(const fs::path& folder, const TrainIdentity& now) {
  if (!is_used(folder) && !fs::exists(folder / "result.json")) return;
  const auto then = read_identity(folder);
  std::string why;
  if (then)
    for (const std::string& d : differences(*then, now, false)) why += (why.empty() ? "" : "; ") + d;
  else why = "nothing says what it was trained on";
  if (why.empty()) return;
  fs::path aside;
  for (int i = 1; aside.empty() || fs::exists(aside); ++i) aside = folder.string() + ".old-" + std::to_string(i);
  fs::rename(folder, aside);
  std::cerr << fmt::format("{}: trained again, because of {}; what it was is kept as {}\n", folder.string(), why,
                           aside.filename().string());
}

// Trains, or goes on, unless the result is there. Nothing where it was stopped.
std::optional<StudyResult> run_one(const Yaml& recipe, const Settings& s, const fs::path& folder, const TrainIdentity& identity) {
  make_room(folder, identity);
  if (auto done = result_in(folder)) {
    if (done->pictures == s.pictures) return done;
    done->maps = false, done->insertion = done->deletion = 0, done->pictures = s.pictures;
    if (s.pictures > 0) measure_maps(folder, s.pictures, *done);
    write_result(folder, *done);
    return done;
  }
  TrainRun run{s.data_root, folder, is_used(folder) ? Start::resume : Start::fresh};
  run.progress = print_progress;
  run.warn = [](const std::string& line) { std::cerr << "fovea: " << line << "\n"; };
  if (!train(recipe, run, Interrupt::flag())) return std::nullopt;
  StudyResult result = best_of(folder / "log.jsonl");
  result.seconds = seconds_of(folder / "log.jsonl");
  result.pictures = s.pictures;
  if (s.pictures > 0) measure_maps(folder, s.pictures, result);
  write_result(folder, result);
  fs::remove(folder / "last.safetensors");
  return result;
}

// Medians of single pictures on one thread, through compiled plans, the networks taking turns so that a busy moment meets all of them.
void measure_latency(std::vector<StudyRow>& rows, const std::vector<Model>& models, const Shape& shape) {
  constexpr int kRounds = 25, kWarm = 3;
  ThreadScope thread_scope(1);
  const Tensor x = Tensor::full(shape, 0.1, DType::f32, Layout::channels_last);
  std::vector<std::vector<double>> times(rows.size());
  for (int round = 0; round < kRounds + kWarm; ++round)
    for (std::size_t i = 0; i < models.size(); ++i) {
      const auto start = std::chrono::steady_clock::now();
      models[i].run(x);
      if (round >= kWarm)
        times[i].push_back(1e3 * std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].latency = median(times[i]);
}

struct Study {
  Yaml recipe;
  std::vector<StudyBlock> blocks;
};

// Refuses a wrong block or slot before the first training begins.
Study prepare(const Settings& s, std::vector<StudyRow>& rows, std::vector<Model>& models) {
  Study study{read_recipe(s.recipe, s.overrides), {}};
  check(!study.recipe.at("model").has("attention"), s.recipe,
        ": a study puts the blocks in itself: leave `attention` out of its model");
  if (s.threads > 0) study.recipe.set("train.threads", std::to_string(s.threads));
  complete_recipe(study.recipe, s.data_root);
  std::map<std::string, std::string> folders;
  for (const std::string& text : s.blocks) {
    const auto [other, alone] = folders.emplace(folder_of(text), text);
    check(alone, "--blocks: '", text, "' ",
          other->second == text ? "is given twice" : "and '" + other->second + "' would share the folder '" + other->first + "'");
    study.blocks.push_back(parse_study_block(text, s.at));
    models.push_back(Model::from_recipe(study_recipe(study.recipe, study.blocks.back(), 0)));
    const Model& model = models.back();
    rows.push_back({text, model.params()->count(), model.multiply_adds(usual_input(model)), 0, {}});
  }
  return study;
}

int run_study(const Settings& s) {
  check(s.seeds > 0 && s.pictures >= 0, "study: expected at least one seed, and pictures from 0");
  std::vector<StudyRow> rows;
  std::vector<Model> models;
  const Study study = prepare(s, rows, models);
  fs::create_directories(s.out);
  const FolderLock lock(s.out, [](const std::string& text) { std::cerr << "fovea: " << text << "\n"; });
  const Interrupt interrupt;
  TrainIdentity identity = identity_of(study.recipe, s.data_root);  // all trainings have its data; their recipes differ
  const int all = s.seeds * static_cast<int>(study.blocks.size());
  int done = 0;
  for (int seed = 0; seed < s.seeds; ++seed)
    for (std::size_t i = 0; i < study.blocks.size(); ++i) {
      std::cerr << fmt::format("training {}/{}: {}, seed {}\n", ++done, all, study.blocks[i].label, seed);
      const fs::path folder = fs::path(s.out) / folder_of(study.blocks[i].label) / ("seed-" + std::to_string(seed));
      const Yaml recipe = study_recipe(study.recipe, study.blocks[i], seed);
      identity.recipe = recipe.str();
      auto result = run_one(recipe, s, folder, identity);
      if (!result) {
        std::cerr << "stopped; give the command again to go on\n";
        return kExitTryAgain;
      }
      rows[i].results.push_back(std::move(*result));
    }
  measure_latency(rows, models, usual_input(models.front()));
  write_file_atomically(fs::path(s.out) / "study.csv", study_csv(rows));
  write_file_atomically(fs::path(s.out) / "study.txt", study_table(rows));
  write_file_atomically(fs::path(s.out) / "study.svg",
                        study_svg(rows, fmt::format("{}: score against latency", fs::path(s.recipe).stem().string())));
  std::cout << study_table(rows);
  return kExitDone;
}

}  // namespace

StudyBlock parse_study_block(const std::string& text, const std::string& at) {
  StudyBlock block{text, text, at, {}};
  if (text == "none") return block;
  std::vector<std::string> parts(1);
  for (const char c : text)
    if (c == ':') parts.emplace_back();
    else parts.back() += c;
  const auto pair_of = [&](const std::string& part) {
    const auto equal = part.find('=');
    check(equal != std::string::npos && equal > 0, "--blocks: '", text, "': expected option=value after the colon, got '", part,
          "'");
    return std::pair(part.substr(0, equal), part.substr(equal + 1));
  };
  if (parts[0].starts_with("model.")) {
    block.type.clear();
    for (const std::string& part : parts) block.options.push_back(pair_of(part));
    return block;
  }
  block.type = parts[0];
  if (const auto place = parts[0].find('@'); place != std::string::npos) {
    block.type = parts[0].substr(0, place);
    block.at = parts[0].substr(place + 1);
  }
  Registry::global().at(block.type);
  for (std::size_t i = 1; i < parts.size(); ++i) block.options.push_back(pair_of(parts[i]));
  return block;
}

Yaml study_recipe(const Yaml& recipe, const StudyBlock& block, int seed) {
  Yaml out = recipe;
  out.set("train.seed", std::to_string(seed));
  if (block.type == "none") return out;
  if (block.type.empty()) {
    for (const auto& [key, value] : block.options) out.set(key, value);
    return out;
  }
  const auto quoted = [](const std::string& v) { return nlohmann::json(v).dump(); };
  std::string rule = "[{at: " + quoted(block.at) + ", type: " + quoted(block.type);
  for (const auto& [key, value] : block.options) rule += ", " + quoted(key) + ": " + quoted(value);
  out.set("model.attention", rule + "}]");
  return out;
}

void to_json(nlohmann::json& j, const StudyResult& r) {
  j = {{"score", r.score}, {"metrics", r.metrics}, {"seconds", r.seconds}, {"pictures", r.pictures}};
  if (r.maps) j["insertion"] = r.insertion, j["deletion"] = r.deletion;
}

void from_json(const nlohmann::json& j, StudyResult& r) {
  r = {j.at("score"),           j.at("metrics"),       j.at("seconds"), j.value("insertion", 0.0), j.value("deletion", 0.0),
       j.contains("insertion"), j.value("pictures", 0)};
}

Command study_command() {
  auto s = std::make_shared<Settings>();
  Command c{"study", "Train one network with each of several attention blocks and compare them", kExamples};
  c.tunes = true;
  c.options.word("recipe", s->recipe, "YAML recipe of any task that validates, without attention");
  c.options.require();
  c.options.words("overrides", s->overrides, "key=value, for example train.epochs=5");
  Option blocks;
  blocks.names = "--blocks";
  blocks.text = "What to compare, with commas between";
  blocks.kind = Option::Kind::words;
  c.options.add(blocks, [s](const std::string& words) {
    std::istringstream each(words);
    for (std::string block; std::getline(each, block, ',');) s->blocks.push_back(block);
  });
  c.options.require();
  c.options.word("--at", s->at, "Slots that the blocks go into");
  c.options.integer("--seeds", s->seeds, 1, 1000, "Trainings of each block");
  c.options.integer("--pictures", s->pictures, 0, 1000000, "Validation pictures for insertion and deletion; 0: leave them out");
  c.options.integer("--threads", s->threads, 1, 4096, "Processors to train on, instead of the recipe's train.threads");
  c.options.hide_default();
  c.options.word("--data-root", s->data_root, "Folder that the recipe's data are relative to");
  c.options.word("-o,--out", s->out, "Folder for the trainings and the tables");
  c.run = [s] { return run_study(*s); };
  return c;
}

}  // namespace fovea
