// The ways to explain what a network saw, one a file:
//   attention, rollout            what its attention blocks computed
//   grad_cam, grad_cam++          activation maps weighted by gradients
//   score_cam, occlusion          what happens when parts of the picture are hidden
//   input_gradient, smooth_grad, integrated_gradients   gradients down to the pixels
#pragma once

#include <string>
#include <vector>

#include "modules/explain/score.hpp"

namespace fovea::explain {

struct Options {
  std::int64_t batch = 8;     // samples run at once
  bool heads = false;         // attention: a map for each head, not their mean
  std::int64_t channels = 0;  // score_cam: how many channels, those with most variance; 0: all
  std::int64_t window = 0;    // occlusion: side in input pixels; 0: a seventh of the input
  std::int64_t stride = 0;    // occlusion: 0: half the window
  std::int64_t samples = 25;  // smooth_grad: noisy copies
  double noise = 0.15;        // smooth_grad: standard deviation, of the input's range
  std::int64_t steps = 64;    // integrated_gradients
  std::uint64_t seed = 0;     // smooth_grad
};

struct Request {
  ForwardFunction network;
  Tensor x;          // 1 x C x H x W
  Score score;       // for gradients: a logit
  Score confidence;  // for what hides parts: a probability
  std::vector<Layer> layers;
  Options options = {};
};

struct Explanation {
  std::vector<Map> maps;
  std::vector<Bars> bars;
  std::vector<std::pair<std::string, double>> facts;  // numbers that say how well it went
};

struct Method {
  std::string name, text, paper;
  std::vector<LayerKind> kinds;  // of layers that it can use; empty: it needs none
  bool needs_score = true;       // false: shows what was computed, whatever the head
  Explanation (*run)(const Request& request);
  bool needs_gradients = false;  // else values alone, which plans give
};

const std::vector<Method>& methods();
// Error that lists them, with the nearest name.
const Method& method(const std::string& name);

Explanation attention(const Request& request);
Explanation rollout(const Request& request);
Explanation grad_cam(const Request& request);
Explanation grad_cam_plus_plus(const Request& request);
Explanation score_cam(const Request& request);
Explanation occlusion(const Request& request);
Explanation input_gradient(const Request& request);
Explanation smooth_grad(const Request& request);
Explanation integrated_gradients(const Request& request);

}  // namespace fovea::explain
