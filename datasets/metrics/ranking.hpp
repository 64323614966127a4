// How well a score tells two kinds of pictures from each other, whatever the threshold.
#pragma once

#include <array>
#include <vector>

namespace fovea {

// The share of pairs, one of each kind, in which the second kind's score is larger; equal ones count half: the area under the ROC curve (Mann and Whitney 1947).
// Not a number where there are none of a kind.
double pairs_in_order(std::vector<double> low, std::vector<double> high);

// Where 95 % of its values lie on resampled pictures, of those draws that have both kinds. Not numbers where there are none of a kind.
std::array<double, 2> pairs_in_order_interval(const std::vector<double>& low, const std::vector<double>& high);

}  // namespace fovea
