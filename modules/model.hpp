// The face of modules/: build a network from a recipe or load one, run it, ask for its maps. A network is a head alone (super-
// resolution) or a backbone, a neck where the recipe has one, blocks in slots, and a head on the features; parameters are then under
// "backbone.", "neck." and "head.".
//
//   Model model = Model::load("upscale-x2");                  // a zoo name or a .safetensors file
//   Tensor y = model.run(x);                                  // x: 1x3xHxW, RGB, 0..1
//   Model::Result r = model.run(x, {.keep = "**.gate"});      // r.taps: the attention maps that match
//
// Pictures are N x C x H x W (C is 3, or what the recipe says), RGB (BGR where the recipe says so), normalised as preprocess() says; layout
// channels-last is the fastest, others are copied. What comes out is named and described by info(): classifiers give "logits", N x classes;
// super-resolution "image", N x 3 x scale H x scale W; segmentation "logits", N x classes x H x W. pipeline/picture_model.hpp does all of
// that for cv::Mat.
//
// Everything throws Error, "where: what: expected, got", and leaves the model as it was. Copies of a Model are the same model. Several threads
// may run and compile it at a time, each on threads() processors (core/threads.hpp); who trains it or loads into it needs it alone.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "modules/autograd/var.hpp"
#include "modules/nn/backbone.hpp"
#include "modules/nn/head.hpp"
#include "modules/nn/scope.hpp"
#include "modules/plan/plan.hpp"
#include "modules/preprocess.hpp"

namespace fovea {

class Yaml;

class Model {
 public:
  struct Tap {
    std::string name;  // "AAB_trunk.0.attention.gate": the path of the block, and what it calls the value
    Tensor value;      // f32; the block's header comment says its shape
  };
  struct RunOptions {
    std::string keep = {};                     // glob of taps to return ("**.spatial", "{a,b}.gate"); empty: none
    std::map<std::string, Tensor> feeds = {};  // taps to replace by a given value (how tiles share a whole image's statistics)
    DType precision = DType::f32;              // f32 or bf16
  };
  struct Result {
    Tensor output;          // the first of the outputs: f32, in memory of its own
    NamedTensors outputs;   // all of info().outputs, in that order
    std::vector<Tap> taps;  // in order of computation; empty where `keep` matches nothing
  };
  // A recipe's YAML text (only its `model` and `preprocess` are used here); parameters freshly initialised from `seed`. What the network
  // would take is counted first: OverBudget (core/budget.hpp) where it is more than memory_limit().
  static Model from_recipe(const std::string& yaml, std::uint64_t seed = 0);
  static Model from_recipe(const Yaml& recipe, std::uint64_t seed = 0);  // errors name its file and line
  // A file, or the name of a folder in the zoo. Error lists the zoo's names when there is no such thing, and says what is wrong with a file
  // that is damaged, holds numbers that are not finite or lacks parameters of its recipe; of shapes and limits before memory is taken.
  static Model load(const std::string& name_or_file);
  static std::vector<std::string> zoo();
  // $FOVEA_ZOO, else beside the program, else where the library was installed or built.
  static std::filesystem::path zoo_folder();

  // Another model of the same recipe, name and metadata, with these values of all parameters, by name. Error as ParamStore::load.
  Model with_parameters(const std::map<std::string, Tensor>& values) const;

  // Writes one .safetensors file with the recipe and `metadata` in it. `storage` is f32 or f16; a parameter with values that f16 does not
  // hold (over 65504, as variances can be) stays f32, and its name is in the answer.
  std::vector<std::string> save(const std::filesystem::path& file, DType storage = DType::f32,
                                std::map<std::string, std::string> metadata = {}) const;

  // For training: records on the tape; in the precision of the thread (autograd/apply.hpp). The first output, or all of them.
  Var forward(const Var& x) const;
  NamedVars outputs(const Var& x) const;
  // Through a compiled plan, made at the first run of a shape and kept (the last few are): the same values as `forward` but for
  // rounding. Op by op instead, as `forward` runs, where a plan cannot: for inputs or parameters that are not f32, while
  // training.
  Tensor run(const Tensor& x) const;
  Result run(const Tensor& x, const RunOptions& options) const;

  struct CompileOptions {
    std::string keep = {};                    // glob of taps that become outputs of the plan
    std::map<std::string, Shape> feeds = {};  // taps that become inputs behind the picture, in the order of their names
    DType precision = DType::f32;             // or bf16 (plan::Options); Error where the processor cannot
    int threads = 0;                          // that one run uses; 0: as many as this thread
  };
  // A plan of one's own, for an input N x C x H x W: plan.run({x}).outputs are info().outputs. It follows later changes of the parameters. For one
  // picture soon, compile it for all threads; for many pictures an hour, for one, and run it from a thread a processor, each within
  // `const ThreadScope thread_scope(1);`: they share the plan and its weights. run() does as the thread's ThreadScope says.
  plan::Plan compile(const Shape& input) const { return compile(input, {}); }
  plan::Plan compile(const Shape& input, const CompileOptions& options) const;

  // For a program that only runs a model that it loaded from a file: from now on the parameters' memory goes back behind every plan that
  // is made from them, and the file is read again where another shape or keep wants a new one (Error where it holds other weights by
  // then). What needs parameters (forward, training, their values) is an Error afterwards, saying so; save() reads them again. Several
  // threads may run the model; nobody may be using parameters while this is called. Error where they are not the file's.
  void release_weights() const;

  // Tells one set of parameters from another: 16 hexadecimal digits.
  std::string fingerprint() const;
  const std::string& recipe() const;                           // resolved YAML
  const std::string& name() const;                             // zoo name or file stem
  const std::map<std::string, std::string>& metadata() const;  // of the file it was loaded from
  const std::shared_ptr<ParamStore>& params() const;
  const HeadInfo& info() const;                     // task, classes, outputs
  const Head& head() const;                         // for the head's own task, which knows more of it
  const std::vector<std::string>& classes() const;  // of info(); empty where the network has none
  std::int64_t channels() const;                    // of the image that it takes
  const Preprocess& preprocess() const;   // what the recipe says; else the usual of its kind (HeadInfo::any_size, or 224 x 224)
  std::vector<Feature> features() const;  // all of the backbone's; empty without one
  const std::vector<SlotRules::Offer>& slots() const;    // what was offered, and what was put there
  std::int64_t multiply_adds(const Shape& input) const;  // of one run; found by tracing shapes

 private:
  static Model build(const Yaml& recipe, std::uint64_t seed, const std::map<std::string, Shape>* stored);
  Result run_planned(const Tensor& x, const RunOptions& options, std::uint64_t parameters) const;
  Result run_eager(const Tensor& x, const RunOptions& options) const;

  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace fovea
