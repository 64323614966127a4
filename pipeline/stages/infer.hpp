// The stages that every network has which is run once a frame: the picture as the network takes it, and the run itself.
#pragma once

#include "datasets/preprocess.hpp"
#include "modules/model.hpp"
#include "pipeline/runner.hpp"

namespace fovea {

inline constexpr Key<Tensor> kTensor{"tensor"};         // 1 x C x H x W, as the network takes it
inline constexpr Key<Geometry> kGeometry{"geometry"};   // where it lies on the picture
inline constexpr Key<Model::Result> kResult{"result"};  // outputs and kept taps of this frame: batch 1

class Preprocessing final : public Stage {
 public:
  explicit Preprocessing(const Preprocess& preprocess) : preprocess_(preprocess) {}
  std::string_view name() const override { return "preprocess"; }
  Contract contract() const override { return Contract().needs(kImage).gives(kTensor).gives(kGeometry); }
  void process(std::span<Frame> frames) override;

 private:
  Preprocess preprocess_;
};

// Frames of one shape run as one batch. Where a batch fails its frames run one by one, so that only those fail that must.
class Infer final : public Stage {
 public:
  Infer(Model model, Model::RunOptions options) : model_(std::move(model)), options_(std::move(options)) {}
  std::string_view name() const override { return "model"; }
  Contract contract() const override { return Contract().needs(kTensor).gives(kResult).drops(kTensor); }
  void process(std::span<Frame> frames) override;
  bool takes_groups() const override { return true; }

 private:
  void run(const std::vector<Frame*>& batch) const;
  void run_apart(const std::vector<Frame*>& batch) const;

  Model model_;
  Model::RunOptions options_;
};

// What a run through such a network begins with: the file read, the picture as the network takes it, the network.
std::vector<StageSpec> network_stages(const Model& model, DType precision, const Jobs& jobs);

}  // namespace fovea
