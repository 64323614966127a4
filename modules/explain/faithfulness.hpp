// Whether a map says what the network uses: pixels are taken away or given back in the map's order, and the score is watched.
// Insertion and deletion: Petsiuk et al. 2018, arXiv:1806.07421. Pointing game: Zhang et al. 2016, arXiv:1608.00507.
#pragma once

#include <functional>
#include <vector>

#include "modules/explain/grid.hpp"
#include "modules/explain/score.hpp"

namespace fovea::explain {

// Scores of a batch N x C x H x W, one a sample. What a `study` of any model puts here.
using BatchScore = std::function<std::vector<double>(const Tensor& batch)>;
BatchScore batch_score(const ForwardFunction& network, const Score& score);

enum class Blank : std::uint8_t {
  zero,    // the mean colour of a normalised input
  blurred  // the picture through a wide Gaussian
};

struct FaithfulnessOptions {
  std::int64_t steps = 28;  // equal parts of the pixels, from none to all
  std::int64_t batch = 8;
  double sigma = 0;  // of the blur, pixels; 0: a twentieth of the shorter side
};

struct Curve {
  std::vector<double> fractions, scores;  // of pixels changed, and the score then
  double area = 0;                        // under it, by trapezia over fractions 0..1
};

// The trapezium rule over points sorted by x, divided by the range of x.
double area_under(const std::vector<double>& x, const std::vector<double>& y);

// Most important pixels first become blank. A good map's score falls at once: low area.
Curve deletion(const BatchScore& score, const Tensor& x, const Map& map, Blank blank = Blank::zero,
               const FaithfulnessOptions& options = {});
// A blank picture gets the most important pixels first. A good map's score rises at once: high area.
Curve insertion(const BatchScore& score, const Tensor& x, const Map& map, Blank blank = Blank::blurred,
                const FaithfulnessOptions& options = {});

Tensor blank_picture(const Tensor& x, Blank blank, double sigma = 0);

struct Box {
  double x0 = 0, y0 = 0, x1 = 0, y1 = 0;  // edges
};
struct Place {
  double x = 0, y = 0;  // a pixel, whose centre is a whole number
};
// Whether a map's highest position lies in one of the boxes or at most `tolerance` pixels away.
bool pointing_hit(Place peak, const std::vector<Box>& boxes, double tolerance = 15);
// The same for the highest finite of row-major pixels; without one there is no hit.
bool pointing_hit(const std::vector<double>& pixels, std::int64_t width, const std::vector<Box>& boxes, double tolerance = 15);

}  // namespace fovea::explain
