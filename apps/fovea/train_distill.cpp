// Distillation without labels: a pupil sees random crops of photographs and learns what a teacher says about the same crops. Validated
// by how often both name the same class.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "apps/fovea/train_job.hpp"
#include "datasets/growing_photos.hpp"
#include "datasets/image.hpp"
#include "datasets/preprocess.hpp"
#include "modules/autograd/apply.hpp"
#include "modules/train/distill.hpp"

namespace fovea {
namespace {

namespace fs = std::filesystem;

// Files of folders and of lists: a .txt file with a name in each line, beside it or in `images` beside it.
std::vector<Sample> samples_of(const Yaml& places, const fs::path& root) {
  std::vector<Sample> samples;
  for (const Yaml& item : places.items()) {
    const fs::path place = root / item.scalar();
    if (place.extension() != ".txt") {
      for (Sample& s : unlabelled({place})) samples.push_back(std::move(s));
      continue;
    }
    std::ifstream list(place);
    check(list.good(), item.where(), ": cannot read ", place.string());
    for (std::string line; std::getline(list, line);) {
      if (line.empty()) continue;
      const fs::path beside = place.parent_path() / line;
      samples.push_back({fs::exists(beside) ? beside : place.parent_path() / "images" / line});
    }
  }
  check(!samples.empty(), places.where(), ": there is no picture in any of these places");
  return samples;
}

// The classes of the highest logits, best first.
std::vector<std::int64_t> best_classes(const float* logits, std::int64_t classes, std::size_t count) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(classes));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    [&](std::int64_t a, std::int64_t b) { return logits[a] > logits[b]; });
  order.resize(count);
  return order;
}

class Agreement {
 public:
  Agreement(Photos photos, const Preprocess& preprocess, const Model& teacher)
      : photos_(std::move(photos)), preprocess_(preprocess) {
    each_batch(teacher, [&](const float* row, std::int64_t classes) { first_.push_back(best_classes(row, classes, 1)[0]); });
  }

  Validation operator()(const Model& pupil) const {
    double top1 = 0, top5 = 0;
    std::size_t i = 0;
    each_batch(pupil, [&](const float* row, std::int64_t classes) {
      const auto mine = best_classes(row, classes, std::min<std::size_t>(5, static_cast<std::size_t>(classes)));
      top1 += mine[0] == first_[i];
      top5 += std::find(mine.begin(), mine.end(), first_[i]) != mine.end();
      ++i;
    });
    const auto n = static_cast<double>(first_.size());
    return {top1 / n, {{"agreement_top1", top1 / n}, {"agreement_top5", top5 / n}}};
  }

 private:
  template <class Row>
  void each_batch(const Model& model, const Row& row) const {
    constexpr std::size_t kBatch = 16;
    NoGrad no_grad;
    for (std::size_t begin = 0; begin < photos_.size(); begin += kBatch) {
      const std::size_t count = std::min(kBatch, photos_.size() - begin);
      Tensor input = Tensor::empty({static_cast<std::int64_t>(count), 3, preprocess_.height, preprocess_.width}, DType::f32,
                                   Layout::channels_last);
      for (std::size_t i = 0; i < count; ++i)
        preprocess_into(input, static_cast<std::int64_t>(i), photos_.image(begin + i), preprocess_);
      const Tensor logits = model.forward(Var(input)).value().to(DType::f32);
      for (std::size_t i = 0; i < count; ++i)
        row(logits.data<float>() + static_cast<std::int64_t>(i) * logits.dim(1), logits.dim(1));
    }
  }

  Photos photos_;
  Preprocess preprocess_;
  std::vector<std::int64_t> first_;  // the teacher's, of each picture
};

}  // namespace

TrainJob distill_job(const Yaml& recipe, const Model& model, const fs::path& root, TrainOptions& options) {
  const Yaml& train = recipe.at("train");
  options = read_train_options(train, {"photos", "validate", "batch", "sizes", "augment", "teacher"});
  check(recipe.has("preprocess"), recipe.where(), ": expected a key 'preprocess': size, mean and std of the pictures");
  PhotoSource::Options photos;
  photos.preprocess = read_preprocess(recipe.at("preprocess"));
  if (train.has("augment")) photos.augment = read_augment(train.at("augment"));
  photos.seed = options.seed;
  Args args = train.args();
  photos.batch = args.get("batch", 32, "pictures a step");
  const auto sizes = args.list("sizes", std::vector<int>{photos.preprocess.height},
                               "sides of the training's pictures, each for an equal part of it");
  check(photos.batch > 1 && !sizes.empty() && *std::min_element(sizes.begin(), sizes.end()) >= 32, train.where(),
        ": expected batch > 1 and sizes of at least 32");
  auto distillation = std::make_shared<Distillation>(train.at("teacher"), model, root);
  const Photos pictures(samples_of(train.at("photos"), root));
  TrainJob job;
  job.summary =
      fmt::format("{:.0f} M multiply-adds; teacher {}; {} photographs",
                  static_cast<double>(model.multiply_adds({1, 3, photos.preprocess.height, photos.preprocess.width})) / 1e6,
                  distillation->teacher().name(), pictures.size());
  job.source = std::make_unique<GrowingPhotos>(pictures, photos, sizes, options.steps * options.accumulate);
  job.loss = [distillation](const Model& pupil, const Batch& batch) { return (*distillation)(pupil, batch).loss; };
  if (train.has("validate"))
    job.validate = [agreement = std::make_shared<Agreement>(Photos(samples_of(train.at("validate"), root)), photos.preprocess,
                                                            distillation->teacher())](const Model& m) { return (*agreement)(m); };
  else job.validate = [](const Model&) { return Validation{}; };
  return job;
}

}  // namespace fovea
