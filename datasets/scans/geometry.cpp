#include "datasets/scans/scan.hpp"

namespace fovea {

Vec3 Plane::normal() const {
  const Vec3 &a = along_columns, &b = along_rows;
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

Vec3 Plane::at(double column, double row, const PixelSpacing& spacing) const {
  Vec3 p = origin;
  for (std::size_t i = 0; i < 3; ++i) p[i] += along_columns[i] * column * spacing.columns + along_rows[i] * row * spacing.rows;
  return p;
}

double Plane::distance() const {
  const Vec3 n = normal();
  return n[0] * origin[0] + n[1] * origin[1] + n[2] * origin[2];
}

}  // namespace fovea
