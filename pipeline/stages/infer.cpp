#include "pipeline/stages/infer.hpp"

#include <algorithm>

#include "pipeline/stages/load.hpp"

namespace fovea {
namespace {

Tensor joined(const std::vector<Frame*>& batch) {
  const Tensor& first = batch.front()->results.get(kTensor);
  if (batch.size() == 1) return first;
  const auto n = static_cast<std::int64_t>(batch.size());
  Tensor all = Tensor::empty({n, first.dim(1), first.dim(2), first.dim(3)}, first.dtype(), Layout::channels_last);
  for (std::int64_t i = 0; i < n; ++i) all.slice(0, i, i + 1).copy_from(batch[static_cast<std::size_t>(i)]->results.get(kTensor));
  return all;
}

// What of the batch belongs to one sample: one row, or several where an axis of windows is folded into the batch. Values that all share
// belong to each.
Tensor sample_of(const Tensor& value, std::int64_t index, std::int64_t batch) {
  if (batch == 1 || value.rank() == 0 || value.dim(0) % batch != 0) return value;
  const std::int64_t rows = value.dim(0) / batch;
  return value.slice(0, index * rows, (index + 1) * rows).clone();
}

}  // namespace

void Preprocessing::process(std::span<Frame> frames) {
  for (Frame& frame : frames) {
    Preprocessed p = preprocess(frame.results.get(kImage).pixels, preprocess_);
    frame.results.put(kTensor, std::move(p.tensor));
    frame.results.put(kGeometry, p.geometry);
  }
}

void Infer::run(const std::vector<Frame*>& batch) const {
  const auto n = static_cast<std::int64_t>(batch.size());
  const Model::Result all = model_.run(joined(batch), options_);
  for (std::int64_t i = 0; i < n; ++i) {
    Model::Result mine;
    for (const auto& [name, value] : all.outputs) mine.outputs.add(name, sample_of(value, i, n));
    for (const Model::Tap& t : all.taps) mine.taps.push_back({t.name, sample_of(t.value, i, n)});
    mine.output = mine.outputs.first();
    Frame& frame = *batch[static_cast<std::size_t>(i)];
    frame.results.remove(kTensor);
    frame.results.put(kResult, std::move(mine));
  }
}

void Infer::run_apart(const std::vector<Frame*>& batch) const {
  for (Frame* frame : batch) try {
      run({frame});
    } catch (const std::exception& e) {
      frame->error = failure_of(*this, e);
      frame->results.clear();
    }
}

void Infer::process(std::span<Frame> frames) {
  std::vector<std::vector<Frame*>> batches;
  for (Frame& frame : frames) {
    const Shape& shape = frame.results.get(kTensor).shape();
    const auto same = std::find_if(batches.begin(), batches.end(),
                                   [&](const auto& b) { return b.front()->results.get(kTensor).shape() == shape; });
    if (same == batches.end()) batches.push_back({&frame});
    else same->push_back(&frame);
  }
  if (frames.size() == 1) return run(batches.front());
  for (const auto& batch : batches) try {
      run(batch);
    } catch (const std::exception&) { run_apart(batch); }
}

std::vector<StageSpec> network_stages(const Model& model, DType precision, const Jobs& jobs) {
  std::vector<StageSpec> stages;
  stages.push_back({std::make_unique<LoadImage>(), jobs.load, 1});
  stages.push_back({std::make_unique<Preprocessing>(model.preprocess()), jobs.load, 1});
  stages.push_back({std::make_unique<Infer>(model, Model::RunOptions{.precision = precision}), jobs.process, jobs.threads});
  return stages;
}

}  // namespace fovea
