#include "datasets/scans/nifti_header.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "datasets/codecs/codec.hpp"
#include "modules/core/error.hpp"

namespace fovea::nifti {
namespace {

using Bytes = std::span<const std::uint8_t>;

template <class T>
T value_at(Bytes bytes, std::size_t at, bool swapped) {
  std::array<std::uint8_t, sizeof(T)> raw{};
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), sizeof(T), raw.begin());
  if (swapped) std::reverse(raw.begin(), raw.end());
  return std::bit_cast<T>(raw);
}

// One field of either version, whose places and widths differ.
struct Reader {
  Bytes bytes;
  int version;
  bool swapped;

  double real(std::size_t at1, std::size_t at2) const {
    return version == 1 ? value_at<float>(bytes, at1, swapped) : value_at<double>(bytes, at2, swapped);
  }
  int whole16(std::size_t at1, std::size_t at2) const { return value_at<std::int16_t>(bytes, version == 1 ? at1 : at2, swapped); }
  int code(std::size_t at1, std::size_t at2) const {
    return version == 1 ? value_at<std::int16_t>(bytes, at1, swapped) : value_at<std::int32_t>(bytes, at2, swapped);
  }
  std::int64_t size(int i) const {
    const auto n = static_cast<std::size_t>(i);
    return version == 1 ? value_at<std::int16_t>(bytes, 40 + 2 * n, swapped) : value_at<std::int64_t>(bytes, 16 + 8 * n, swapped);
  }
  double step(int i) const {
    const auto n = static_cast<std::size_t>(i);
    return real(76 + 4 * n, 104 + 8 * n);
  }
};

using Affine = std::array<std::array<double, 4>, 3>;

Affine sform(const Reader& r) {
  Affine a{};
  for (std::size_t row = 0; row < 3; ++row)
    for (std::size_t column = 0; column < 4; ++column)
      a[row][column] = r.real(280 + 16 * row + 4 * column, 400 + 32 * row + 8 * column);
  return a;
}

// A rotation as a quaternion whose real part follows from the other three; a negative pixdim[0] mirrors the slices.
Affine qform(const Reader& r, const std::array<double, 3>& step) {
  const double b = r.real(256, 352), c = r.real(260, 360), d = r.real(264, 368);
  const double a = std::sqrt(std::max(0.0, 1 - b * b - c * c - d * d));
  const double flip = r.step(0) < 0 ? -1 : 1;
  const double rotation[3][3] = {{a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)},
                                 {2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)},
                                 {2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c}};
  Affine out{};
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t column = 0; column < 3; ++column)
      out[row][column] = rotation[row][column] * step[column] * (column == 2 ? flip : 1);
    out[row][3] = r.real(268 + 4 * row, 376 + 8 * row);
  }
  return out;
}

// NIfTI counts to the right and to the front.
Affine as_dicom_counts(Affine a, double mm) {
  for (std::size_t row = 0; row < 3; ++row)
    for (double& v : a[row]) v *= row < 2 ? -mm : mm;
  return a;
}

// mm in a unit of length; nothing where none is said.
std::optional<double> millimetres(int units) {
  switch (units & 7) {
    case 1: return 1000;
    case 2: return 1;
    case 3: return 0.001;
    default: return std::nullopt;
  }
}

void read_places(const Reader& r, Header& h, const std::string& file) {
  const auto units = r.version == 1 ? std::optional<double>(millimetres(r.bytes[123])) : millimetres(r.code(0, 500));
  h.in_mm = units.has_value();
  const double mm = units.value_or(1);
  std::array<double, 3> step{1, 1, 1};
  for (int i = 0; i < 3; ++i) {
    const double s = std::abs(r.step(i + 1));
    check(std::isfinite(s), file, ": damaged NIfTI: a voxel's size is not finite");
    if (s > 0) step[static_cast<std::size_t>(i)] = s;
  }
  if (r.code(254, 348) > 0) h.affine = as_dicom_counts(sform(r), mm);
  else if (r.code(252, 344) > 0) h.affine = as_dicom_counts(qform(r, step), mm);
  for (std::size_t i = 0; i < 3; ++i) h.step[i] = step[i] * mm;
  if (h.affine)
    for (const auto& row : *h.affine)
      for (const double v : row) check(std::isfinite(v), file, ": damaged NIfTI: its orientation is not finite");
}

void read_sizes(const Reader& r, Header& h, const std::string& file) {
  h.size.fill(1);
  h.size[0] = r.size(0);
  check(h.size[0] >= 1 && h.size[0] <= 7, file, ": damaged NIfTI: expected 1 to 7 dimensions, got ", h.size[0]);
  std::int64_t all = 1;
  for (int i = 1; i <= static_cast<int>(h.size[0]); ++i) {
    const std::int64_t n = r.size(i);
    check(n >= 1 && n <= (std::int64_t{1} << 40) / all, file, ": damaged NIfTI: dimension ", i, " is ", n);
    h.size[static_cast<std::size_t>(i)] = n;
    all *= n;
  }
}

}  // namespace

std::int64_t Header::frames() const {
  std::int64_t n = 1;
  for (std::size_t i = 3; i < size.size(); ++i) n *= size[i];
  return n;
}

int version_of(Bytes bytes) {
  if (bytes.size() < kHeader1) return 0;
  const auto length = value_at<std::int32_t>(bytes, 0, false), other = value_at<std::int32_t>(bytes, 0, true);
  const auto has_magic = [&](std::size_t at, const char* text) { return std::memcmp(bytes.data() + at, text, 4) == 0; };
  if ((length == 348 || other == 348) && (has_magic(344, "n+1\0") || has_magic(344, "ni1\0"))) return 1;
  if (bytes.size() >= kHeader2 && (length == 540 || other == 540) && (has_magic(4, "n+2\0") || has_magic(4, "ni2\0"))) return 2;
  return 0;
}

Header read_header(Bytes bytes, const std::string& file) {
  Header h;
  h.version = version_of(bytes);
  check(h.version > 0, file, ": expected a NIfTI");
  h.swapped = value_at<std::int32_t>(bytes, 0, false) != (h.version == 1 ? 348 : 540);
  if (bytes[h.version == 1 ? 345 : 5] == 'i') codec::unsupported(file, "a NIfTI of two files, .hdr and .img");
  const Reader r{bytes, h.version, h.swapped};
  const int intent = r.code(68, 504);
  if (intent >= 3000 && intent < 3100) codec::unsupported(file, "CIFTI, whose dimensions are no picture's (intent ", intent, ")");
  read_sizes(r, h, file);
  h.type = r.whole16(70, 12), h.bits = r.whole16(72, 14);
  const double offset = h.version == 1 ? r.real(108, 0) : static_cast<double>(value_at<std::int64_t>(bytes, 168, h.swapped));
  const auto least = static_cast<double>(h.version == 1 ? kHeader1 : kHeader2);
  check(offset >= least && offset <= 1e12 && offset == std::floor(offset), file, ": damaged NIfTI: its voxels begin at ", offset);
  h.offset = static_cast<std::int64_t>(offset);
  h.slope = r.real(112, 176), h.intercept = r.real(116, 184);
  if (h.slope == 0 || !std::isfinite(h.slope)) h.slope = 1, h.intercept = 0;  // "no scaling", as the standard says
  if (!std::isfinite(h.intercept)) h.intercept = 0;
  read_places(r, h, file);
  return h;
}

}  // namespace fovea::nifti
