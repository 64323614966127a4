#include "datasets/scans/scan.hpp"

namespace fovea {

Vec3 Plane::normal() const { return cross(along_columns, along_rows); }

Vec3 Plane::at(double column, double row, const PixelSpacing& spacing) const {
  Vec3 p = origin;
  for (std::size_t i = 0; i < 3; ++i) p[i] += along_columns[i] * column * spacing.columns + along_rows[i] * row * spacing.rows;
  return p;
}

}  // namespace fovea
