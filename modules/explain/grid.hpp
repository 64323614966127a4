// Where the cells of a map lie on the network's input, and maps on such grids.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "modules/core/tensor.hpp"

namespace fovea::explain {

// Cell (i, j) is centred on input pixel (start_y + i stride_y, start_x + j stride_x), the middle of its receptive field; pixel
// centres are whole numbers. A 3x3 convolution of stride 2 and padding 1 puts cell i on pixel 2 i, not on 2 i + 0.5.
struct Grid {
  std::int64_t height = 0, width = 0;
  double start_y = 0, start_x = 0, stride_y = 1, stride_x = 1;
  bool exact = true;  // false: followed through an op that says nothing of positions; then cells share the input evenly
  bool operator==(const Grid&) const = default;
  std::int64_t cells() const { return height * width; }
};

// The pixels themselves.
Grid pixel_grid(std::int64_t height, std::int64_t width);
// Cells that share height x width pixels evenly.
Grid even_grid(std::int64_t cells_high, std::int64_t cells_wide, std::int64_t height, std::int64_t width);

struct Map {
  std::string name;
  Grid grid;
  std::vector<double> values;  // rows of the grid

  // Bilinear between cell centres, the outermost cells' values beyond them.
  double at(double y, double x) const;
  // The same at every crossing of rows and columns, row by row.
  std::vector<double> at(std::span<const double> ys, std::span<const double> xs) const;
  // The values at the pixels of a height x width input.
  std::vector<double> on_pixels(std::int64_t height, std::int64_t width) const;
};

// Numbers without a position, such as the gates of channels.
struct Bars {
  std::string name;
  std::vector<double> values;
};

}  // namespace fovea::explain
