// A model of what is normal, from normal pictures alone: PatchCore, Roth et al. 2022, arXiv:2106.08265, on a backbone of ours.
//   1. Every picture goes through the backbone; of the features of its places (modules/heads/patch_memory.cpp) at most `patches` are kept, and
//      whitened: their covariance becomes that of unit noise, so that no direction in which normal ones vary much hides another.
//   2. Greedy k-center chooses the memory's vectors from them, on random projections where they are long.
//   3. Every picture is looked at once more, by the memory without the vectors that came from that picture, as a new one would be. Mean and spread are
//      those of the logarithms of all its pixels' distances; the limit, of which the probability is 0.5, is what a share `false_alarms` of the pictures exceed somewhere.
// Features are taken behind the backbone's attention: what its gates do to a place is part of what the place looks like.
#pragma once

#include <atomic>
#include <optional>

#include "datasets/bad_file.hpp"
#include "modules/model.hpp"
#include "pipeline/sinks/progress.hpp"
#include "pipeline/sources/inputs.hpp"

namespace fovea {

struct FitNormalOptions {
  std::vector<std::string> features = {};  // of the backbone; empty: middle_features()
  int size = 0;                            // side that pictures are fitted into, letterbox; 0: as they are
  std::int64_t vectors = 2000;             // in the memory, at most
  std::int64_t patches = 200'000;          // that they are chosen from, at most
  std::uint64_t seed = 0;
  double smooth = 0.5;         // deviation of the Gaussian over distances, in cells of the finest feature
  double false_alarms = 0.05;  // share of the normal pictures that reach a probability of 0.5 somewhere
};

struct NormalFit {
  Model model;
  int pictures = 0;             // of all inputs
  std::int64_t patches = 0;     // that were seen
  std::int64_t vectors = 0;     // of the memory
  double mean = 0, spread = 0;  // of the logarithms of normal distances
  double limit = 0;             // distance
};

// Inputs that are one: a picture, a scan, or the files of a series.
using NormalInputs = std::vector<Input>;

// Pictures and scans of files, folders and patterns, in order; what cannot be read goes to `left_out`. Error where an argument is none of them.
NormalInputs normal_inputs(const std::vector<std::string>& arguments, std::vector<BadFile>& left_out);

// `left_out` gets what cannot be read, with its reason; progress hears of every input. Nothing where `stop` ended it. Error where fewer than two inputs can be
// used: nothing would say how far normal pictures are from each other.
std::optional<NormalFit> fit_normal(const Model& network, const NormalInputs& inputs, const FitNormalOptions& options,
                                    std::vector<BadFile>& left_out, Progress& progress, const std::atomic<bool>& stop);

}  // namespace fovea
