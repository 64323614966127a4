#include "pipeline/tasks/retrieve/training.hpp"

#include <fmt/format.h>

#include <cmath>

#include "datasets/csv.hpp"
#include "datasets/text/byte_pairs.hpp"
#include "datasets/text/recipe.hpp"
#include "datasets/text/vocabulary.hpp"
#include "modules/core/fingerprint.hpp"
#include "pipeline/tasks/retrieve/loss.hpp"
#include "pipeline/tasks/retrieve/measure.hpp"
#include "pipeline/training_data.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

struct Keys {
  std::string split, validate_split, images, encoder = "words", negatives = "hardest";
  double validate_share = 0.1, epochs = 0, margin = 0.2;
  int batch = 32, memory_mb = 2048, shorter_side = 0, least = 4, pairs = 4000;
};

Keys read_keys(Args& a) {
  Keys k;
  a.elsewhere("data",
              "folders or files of pictures with captions, as `fovea data` reads them: Flickr8k, COCO or Karpathy's; required");
  k.split = a.get("split", "", "part of `data` to train with; empty: all of it");
  a.elsewhere("validate", "likewise; without it the part `validate_split` of `data`, else a share of the pictures is held out");
  k.validate_split = a.get("validate_split", "", "part to validate with; empty: all of `validate`");
  k.images = a.get("images", "", "folder of the pictures, where it does not lie beside the captions");
  k.validate_share =
      a.get("validate_share", k.validate_share, "of the pictures, where nothing is given to validate with", {0, 0.9});
  k.batch = a.get("batch", k.batch, "pictures a step, with one caption each: the others' are the negatives", {2, 4096});
  k.epochs =
      a.get("epochs", k.epochs, "how often every picture is seen, instead of steps; each is then validated; 0: count steps");
  k.encoder = a.get("encoder", k.encoder.c_str(), "of sentences: words, or byte_pairs, which know every text");
  k.least = a.get("least", k.least, "how often a word must occur in the captions to be known", {1, 1'000'000});
  k.pairs = a.get("pairs", k.pairs, "tokens of byte_pairs", {static_cast<double>(BytePairs::kFirstMerge), 50000});
  k.margin = a.get("margin", k.margin, "by which what belongs together should be closer", {0, 10});
  k.negatives = a.get("negatives", k.negatives.c_str(), "that the loss counts: hardest, or all of a batch");
  a.elsewhere("augment", "random changes of the pictures; crop and mirror image also without it: see train.augment");
  k.memory_mb = a.get("memory_mb", k.memory_mb, "for decoded pictures; those beyond it are decoded each time", {0, 1e7});
  k.shorter_side = a.get("shorter_side", k.shorter_side, "pictures are shrunk to this when loaded; 0: not", {0, 65536});
  return k;
}

Keys read_keys(const Yaml& train) {
  Args a = train.args();
  Keys k = read_keys(a);
  check(k.encoder == "words" || k.encoder == "byte_pairs", train.where(), ": encoder: expected words or byte_pairs, got '",
        k.encoder, "'");
  check(k.negatives == "hardest" || k.negatives == "all", train.where(), ": negatives: expected hardest or all, got '",
        k.negatives, "'");
  check(!train.has("validate_share") || !(train.has("validate") || !k.validate_split.empty()), train.where(),
        ": validate_share: there are data to validate with already");
  return k;
}

Captioned read_part(const Yaml& train, const char* key, const std::string& split, const Keys& k, const fs::path& root) {
  const Yaml& data = train.has(key) ? train.at(key) : train.at("data");
  return read_all(data_paths(data, root), {split, k.images.empty() ? fs::path() : (root / k.images).lexically_normal()});
}

bool has_validation(const Yaml& train, const Keys& k) { return train.has("validate") || !k.validate_split.empty(); }

struct Parts {
  Captioned training, validation;
};

// A share that is held out is the same at every start of the training.
Parts read_parts(const Yaml& train, const Keys& k, const fs::path& root, std::uint64_t seed) {
  Parts parts{read_part(train, "data", k.split, k, root), {}};
  if (has_validation(train, k)) {
    parts.validation = read_part(train, "validate", k.validate_split, k, root);
    return parts;
  }
  const std::vector<CaptionedPicture> all = std::move(parts.training.pictures);
  parts.training.pictures.clear();
  const auto count = static_cast<std::int64_t>(all.size());
  const auto held = static_cast<std::int64_t>(std::llround(k.validate_share * static_cast<double>(count)));
  for (std::int64_t i = 0; i < count; ++i) {
    auto& to = shuffled(i, count, ~seed, 0) < held ? parts.validation : parts.training;
    to.pictures.push_back(all[static_cast<std::size_t>(i)]);
  }
  return parts;
}

std::uint64_t seed_of(const Yaml& train) {
  Args a = train.args();
  return static_cast<std::uint64_t>(a.get("seed", 0, "of everything random"));
}

std::unique_ptr<TextEncoder> encoder_for(const Yaml& train, const Keys& k, const fs::path& root) {
  Args a = train.args();
  // The words of a model that is trained further keep their numbers.
  if (const std::string weights = a.get("weights", "", "model file to start from"); !weights.empty())
    if (auto known = text_encoder_of(Model::load(weights).recipe())) return known;
  const std::vector<std::string> captions = captions_of(read_parts(train, k, root, seed_of(train)).training.pictures);
  if (k.encoder == "byte_pairs") return std::make_unique<BytePairs>(BytePairs::of(captions, k.pairs));
  auto words = std::make_unique<Vocabulary>(Vocabulary::of(captions, k.least));
  check(words->size() > TextEncoder::kSpecial, train.where(), ": least: no word occurs ", k.least, " times in the captions");
  return words;
}

TrainJob::Loss loss_of(const Model& model, const TripletOptions& options) {
  return [model, options](const NamedVars& outputs, const Batch& batch) {
    const RetrieveHead& head = retrieve_head(model);
    const Tensor& length = batch.targets.at("length");
    const Lengths lengths(length.data<std::int64_t>(), length.data<std::int64_t>() + length.size());
    const Var texts = head.texts(Var(batch.targets.at("tokens")), lengths);
    return triplet_loss(head.similarities(outputs.first(), texts, lengths), batch.targets.at("picture"), options);
  };
}

Trainer::Validate validation_of(const std::shared_ptr<const CaptionedPhotos>& data, int batch) {
  return [data, batch](const Model& model) {
    if (data->photos.size() == 0) return Validation{};
    const RetrievalMetrics m = measure(model, *data, batch, DType::f32);  // always in f32: scores of different runs compare
    const Recalls texts = m.captions_by_picture(), pictures = m.pictures_by_caption();
    Validation v{m.recall_sum(), {}};
    v.details = {{"image_to_text_r1", texts.at_1},
                 {"image_to_text_r10", texts.at_10},
                 {"text_to_image_r1", pictures.at_1},
                 {"text_to_image_r10", pictures.at_10},
                 {"median_rank", pictures.median_rank}};
    return v;
  };
}

std::string text_of(const CaptionedPicture& p) {
  std::string all;
  for (const std::string& caption : p.captions) all += caption + "\n";
  return all;
}

std::string validation_table(const Captioned& data) {
  std::string text = "path\n";
  for (const CaptionedPicture& p : data.pictures) text += csv_quoted(p.file.string()) + "\n";
  return text;
}

}  // namespace

void complete_retrieve(Yaml& recipe, const fs::path& root) {
  const Yaml& train = recipe.at("train");
  auto encoder = text_encoder_of(recipe);
  if (!encoder) {
    encoder = encoder_for(train, read_keys(train), root);
    set_text_encoder(recipe, *encoder);
  }
  recipe.set("model.head.tokens", std::to_string(encoder->size()));
}

std::vector<KeyGroup> retrieve_keys() {
  return {keys_read("train", [](Args& a) { read_keys(a); }), keys_read("train.augment", [](Args& a) { read_augment(a); })};
}

std::vector<TrainingFile> retrieve_files(const Yaml& recipe, const fs::path& root) {
  const Yaml& train = recipe.at("train");
  const Parts parts = read_parts(train, read_keys(train), root, seed_of(train));
  std::vector<TrainingFile> files;
  for (const Captioned* part : {&parts.training, &parts.validation})
    for (const CaptionedPicture& p : part->pictures) files.push_back({p.file, fingerprint(text_of(p))});
  return files;
}

TrainJob retrieve_training(const Yaml& recipe, const Model& model, const fs::path& root, TrainOptions& options) {
  const Yaml& train = recipe.at("train");
  options = read_train_options(train, names_of(retrieve_keys()));
  check(!train.has("loss"), train.where(), ": loss: retrieval has one, the triplet; see margin and negatives");
  check(model.preprocess().resize != Preprocess::Resize::none, train.where(), ": pictures of a batch need one size: preprocess");
  const Keys keys = read_keys(train);
  const auto encoder = text_encoder(model);
  const Parts parts = read_parts(train, keys, root, options.seed);
  const PhotoOptions loading{static_cast<std::size_t>(keys.memory_mb) << 20, keys.shorter_side};
  CaptionedPhotos training(parts.training.pictures, loading);
  const auto validating = std::make_shared<const CaptionedPhotos>(parts.validation.pictures, loading);

  PairSource::Options pairs{model.preprocess(), {}, keys.batch, options.seed};
  if (train.has("augment")) pairs.augment = read_augment(train.at("augment"));
  check(!pairs.augment.mixes(), train.where(), ": augment: mixed pictures have no sentences: without mixup and cutmix");
  const double each = static_cast<double>(training.photos.size()) / (static_cast<double>(keys.batch) * options.accumulate);
  count_epochs(train, keys.epochs, each, options);
  if (train.has("epochs") && !train.has("validate_every")) options.validate_every = std::max<std::int64_t>(1, std::llround(each));
  check(options.patience == 0 || validating->photos.size() > 0, train.where(), ": patience needs pictures to validate with");

  TrainJob job;
  job.loss = loss_of(model, {keys.margin, keys.negatives == "hardest"});
  job.validate = validation_of(validating, keys.batch);
  report_bad(joined(parts.training.left_out, training.photos.bad()), "training", job);
  report_bad(joined(parts.validation.left_out, validating->photos.bad()), "validation", job);
  if (!parts.validation.pictures.empty()) job.files["validation.csv"] = validation_table(parts.validation);
  job.summary = fmt::format("{} tokens; {} pictures with {} captions to train with, {} to validate; {} steps", encoder->size(),
                            training.photos.size(), training.all_captions().size(), validating->photos.size(), options.steps);
  job.source = std::make_unique<PairSource>(std::move(training), *encoder, pairs);
  return job;
}

}  // namespace fovea
