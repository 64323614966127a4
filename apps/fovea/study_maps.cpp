#include <algorithm>

#include "apps/fovea/study.hpp"
#include "datasets/csv.hpp"
#include "datasets/photos.hpp"
#include "datasets/preprocess.hpp"
#include "modules/explain/faithfulness.hpp"
#include "modules/explain/methods.hpp"
#include "pipeline/stages/explain.hpp"

namespace fovea {
namespace {

namespace fs = std::filesystem;

// Files of the run's validation set, evenly picked.
std::vector<Sample> picked(const fs::path& table, int count) {
  const Csv csv = read_csv(table);
  const std::size_t path = csv.column("path");
  std::vector<Sample> samples;
  const std::size_t n = std::min(static_cast<std::size_t>(count), csv.rows.size());
  for (std::size_t i = 0; i < n; ++i) samples.push_back({csv.rows[i * csv.rows.size() / n].fields[path]});
  return samples;
}

}  // namespace

void measure_maps(const fs::path& folder, int pictures, StudyResult& result) {
  const Model model = Model::load((folder / "best.safetensors").string());
  const Task* task = TaskRegistry::global().find(model.info().task);
  const ScoreOf score_of = task ? task->score(model, "", 1) : nullptr;
  if (!score_of || !fs::exists(folder / "validation.csv")) return;
  const Photos photos(picked(folder / "validation.csv", pictures));
  check(photos.size() > 0, folder.string(), ": none of the pictures to look at can be read");
  const explain::ForwardFunction network = explained(model);
  const std::vector<explain::Layer> layers = explain::layers_of(network, usual_input(model));
  const auto chosen = explain::choose_layers(layers, explain::deepest_map(layers), {explain::LayerKind::map}, "grad_cam");
  result.maps = true;
  for (std::size_t i = 0; i < photos.size(); ++i) {
    const Tensor x = preprocess(photos.image(i), model.preprocess()).tensor;
    const ExplainedScore top = score_of(model.run(x, {}).outputs);
    const explain::Map map = explain::grad_cam({network, x, top.score, top.confidence, chosen}).maps.at(0);
    const auto score = explain::batch_score(network, top.confidence);
    result.insertion += explain::insertion(score, x, map).area / static_cast<double>(photos.size());
    result.deletion += explain::deletion(score, x, map).area / static_cast<double>(photos.size());
  }
}

}  // namespace fovea
