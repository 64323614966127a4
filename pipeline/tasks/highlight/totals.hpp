// What was found of one class on several pictures together.
#pragma once

#include <optional>
#include <vector>

#include "pipeline/tasks/highlight/answer.hpp"

namespace fovea {

struct ClassTotal {
  std::size_t regions = 0;
  double pixels = 0;
  std::optional<double> mm2;                            // where every region has an area; 0 where there is none
  double confidence = 0;                                // mean probability of its pixels
  double mean = 0, deviation = 0, least = 0, most = 0;  // of the values under it
  std::vector<std::size_t> on;                          // the pictures, from 0 for the first of those asked about
};

// Of `count` pictures from `first` on.
ClassTotal total_of(const HighlightAnswer& answer, std::size_t c, std::size_t first, std::size_t count);

}  // namespace fovea
