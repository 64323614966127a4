// A model measured on pictures with captions.
#pragma once

#include "datasets/metrics/retrieval.hpp"
#include "pipeline/tasks/retrieve/data.hpp"
#include "pipeline/tasks/retrieve/texts.hpp"

namespace fovea {

class Matching {
 public:
  // Reads all captions by the model. `data` outlives this.
  Matching(const Model& model, const CaptionedPhotos& data, DType precision);

  // Of `batch` pictures each. They are shown as `preprocess` says, those of their own size one by one.
  static std::int64_t batches(const Model& model, const CaptionedPhotos& data, int batch);
  void add(std::int64_t number, int batch);  // in order

  const RetrievalMetrics& metrics() const { return metrics_; }

 private:
  Model model_;
  const CaptionedPhotos& data_;
  DType precision_;
  EncodedTexts texts_;
  RetrievalMetrics metrics_;
};

RetrievalMetrics measure(const Model& model, const CaptionedPhotos& data, int batch, DType precision);

}  // namespace fovea
