// The face of modules/: build a network from a recipe or load one, run it, ask for its maps. A network is a head alone (super-
// resolution) or a backbone, blocks in its slots, and a head on its last feature; parameters are then under "backbone." and "head.".
//
//   Model model = Model::load("upscale-x2");                  // a zoo name or a .safetensors file
//   Tensor y = model.run(x);                                  // x: 1x3xHxW, RGB, 0..1
//   Model::Result r = model.run(x, {.keep = "**.gate"});      // r.taps: the attention maps that match
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "modules/autograd/var.hpp"
#include "modules/heads/upscale.hpp"
#include "modules/nn/backbone.hpp"
#include "modules/nn/scope.hpp"
#include "modules/plan/plan.hpp"

namespace fovea {

class Model {
 public:
  using UpscaleFacts = ::fovea::UpscaleFacts;
  struct Tap {
    std::string name;  // "AAB_trunk.0.attention.gate"
    Tensor value;      // f32
  };
  struct RunOptions {
    std::string keep = {};                    // glob of taps to return; empty: none
    std::map<std::string, Tensor> pins = {};  // taps to replace by a given value (how tiles share a whole image's statistics)
    DType precision = DType::f32;             // f32 or bf16
  };
  struct Result {
    Tensor output;  // f32
    std::vector<Tap> taps;
  };
  // A recipe's YAML text (only its `model` and `preprocess` are used here); parameters freshly initialised from `seed`.
  static Model from_recipe(const std::string& yaml, std::uint64_t seed = 0);
  // A file, or the name of a folder in the zoo. Error lists the zoo's names when there is no such thing.
  static Model load(const std::string& name_or_file);
  static std::vector<std::string> zoo();
  static std::filesystem::path zoo_folder();

  // Writes one .safetensors file with the recipe and `metadata` in it. `storage` is f32 or f16.
  void save(const std::filesystem::path& file, DType storage = DType::f32,
            std::map<std::string, std::string> metadata = {}) const;

  Var forward(const Var& x) const;  // for training: records on the tape
  // Through a compiled plan, made at the first run of a shape and kept (the last few are): the same values as `forward` but for
  // rounding. Op by op instead, as `forward` runs, where a plan cannot: in bf16, for inputs or parameters that are not f32, while
  // training or observing ranges.
  Tensor run(const Tensor& x) const;
  Result run(const Tensor& x, const RunOptions& options) const;

  struct CompileOptions {
    std::string keep = {};                   // glob of taps that become outputs of the plan
    std::map<std::string, Shape> pins = {};  // taps that become inputs behind the picture, in the order of their names
    DType precision = DType::f32;            // a plan computes in f32; Error for another
    int threads = 0;                         // that one run uses; 0: as many as this thread
  };
  // A plan of one's own, for an input N x 3 x H x W: plan.run({x}).outputs[0]. It follows later changes of the parameters.
  plan::Plan compile(const Shape& input) const { return compile(input, {}); }
  plan::Plan compile(const Shape& input, const CompileOptions& options) const;

  const std::string& recipe() const;                           // resolved YAML
  const std::string& name() const;                             // zoo name or file stem
  const std::map<std::string, std::string>& metadata() const;  // of the file it was loaded from
  const std::shared_ptr<ParamStore>& params() const;
  UpscaleFacts upscale() const;                     // Error when the head is not an upscaling one
  const std::vector<std::string>& classes() const;  // Error when the head does not classify
  bool classifies() const;
  std::vector<Feature> features() const;               // all of the backbone's; empty without one
  const std::vector<SlotRules::Offer>& slots() const;  // what was offered, and what was put there
  std::int64_t multiply_adds(const Shape& input) const;

 private:
  Result run_planned(const Tensor& x, const RunOptions& options) const;
  Result run_eager(const Tensor& x, const RunOptions& options) const;

  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace fovea
