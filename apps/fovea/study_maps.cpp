#include <algorithm>

#include "apps/fovea/classification.hpp"
#include "apps/fovea/study.hpp"
#include "datasets/csv.hpp"
#include "datasets/preprocess.hpp"
#include "modules/explain/faithfulness.hpp"
#include "modules/explain/methods.hpp"
#include "pipeline/stages/classify.hpp"
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
  const Preprocess preprocess = preprocess_of(model);
  const Photos photos(picked(folder / "validation.csv", pictures));
  check(photos.size() > 0, folder.string(), ": none of the pictures to look at can be read");
  const explain::ForwardFunction network = explained(model);
  const std::vector<explain::Layer> layers = explain::layers_of(network, {1, 3, preprocess.height, preprocess.width});
  const auto chosen = explain::choose_layers(layers, explain::deepest_map(layers), {explain::LayerKind::map}, "grad_cam");
  for (std::size_t i = 0; i < photos.size(); ++i) {
    const Tensor x = fovea::preprocess(photos.image(i), preprocess).tensor;
    const std::int64_t top = explain::top_class(model.run(x));
    const explain::Map map =
        explain::grad_cam({network, x, explain::class_logit(top), explain::class_probability(top), chosen}).maps.at(0);
    const auto score = explain::batch_score(network, explain::class_probability(top));
    result.insertion += explain::insertion(score, x, map).area / static_cast<double>(photos.size());
    result.deletion += explain::deletion(score, x, map).area / static_cast<double>(photos.size());
  }
}

}  // namespace fovea
