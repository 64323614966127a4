#include "pipeline/tasks/retrieve/data.hpp"

#include "datasets/augment/mix.hpp"
#include "datasets/preprocess.hpp"
#include "pipeline/tasks/retrieve/texts.hpp"

namespace fovea {
namespace {

std::vector<Sample> samples_of(const std::vector<CaptionedPicture>& pictures) {
  std::vector<Sample> samples;
  for (const CaptionedPicture& p : pictures) samples.push_back({p.file, static_cast<std::int64_t>(samples.size())});
  return samples;
}

}  // namespace

Captioned read_all(const std::vector<std::filesystem::path>& sources, const CaptionedOptions& options) {
  Captioned all;
  for (const auto& source : sources) {
    CaptionedData data = read_captioned(source, options);
    all.pictures.insert(all.pictures.end(), data.pictures.begin(), data.pictures.end());
    all.left_out.insert(all.left_out.end(), data.left_out.begin(), data.left_out.end());
  }
  return all;
}

CaptionedPhotos::CaptionedPhotos(const std::vector<CaptionedPicture>& pictures, const PhotoOptions& options)
    : photos(samples_of(pictures), options) {
  for (const Sample& s : photos.samples()) captions.push_back(pictures.at(static_cast<std::size_t>(s.label)).captions);
}

std::vector<std::string> CaptionedPhotos::all_captions() const {
  std::vector<std::string> all;
  for (const auto& of_one : captions) all.insert(all.end(), of_one.begin(), of_one.end());
  return all;
}

std::vector<std::size_t> CaptionedPhotos::owners() const {
  std::vector<std::size_t> all;
  for (std::size_t p = 0; p < captions.size(); ++p) all.insert(all.end(), captions[p].size(), p);
  return all;
}

PairSource::PairSource(CaptionedPhotos data, const TextEncoder& encoder, const Options& options)
    : data_(std::move(data)), options_(options) {
  check(data_.photos.size() > 0, "training data: no image can be read",
        data_.photos.bad().empty() ? "" : "; the first reason: " + data_.photos.bad().front().reason);
  for (const auto& captions : data_.captions) {
    tokens_.emplace_back();
    for (const std::string& text : captions) tokens_.back().push_back(tokens_of(encoder, text));
  }
}

Batch PairSource::batch(std::int64_t number) const {
  const Preprocess& p = options_.preprocess;
  const std::int64_t n = options_.batch, count = static_cast<std::int64_t>(data_.photos.size());
  Batch batch{{{"image", Tensor::empty({n, p.channels, p.height, p.width}, DType::f32, Layout::channels_last)}}, {}};
  std::vector<std::vector<std::int64_t>> texts;
  std::vector<std::int64_t> pictures;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t at = number * n + i;
    Random random(options_.seed, static_cast<std::uint64_t>(at) + 1);
    const std::int64_t index = shuffled(at % count, count, options_.seed, static_cast<std::uint64_t>(at / count));
    const auto photo = static_cast<std::size_t>(index);
    texts.push_back(tokens_[photo][static_cast<std::size_t>(random.below(static_cast<std::int64_t>(tokens_[photo].size())))]);
    pictures.push_back(index);
    normalise_into(batch.input(), i, augmented(data_.photos.image(photo), p, options_.augment, random), p);
    if (random.uniform() < options_.augment.erase) erase_at_random(batch.input(), i, random);
  }
  const TextBatch said = text_batch(texts);
  batch.targets.add("tokens", said.tokens);
  batch.targets.add("length", Tensor::from(said.lengths, {n}));
  batch.targets.add("picture", Tensor::from(pictures, {n}));
  return batch;
}

}  // namespace fovea
