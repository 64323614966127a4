// The header's layout is that of nifti1.h; a quaternion is made as its nifti_mat44_to_quatern does.
#include "datasets/scans/nifti_write.hpp"

#include <zlib.h>

#include <cmath>
#include <cstring>

#include "modules/core/error.hpp"
#include "modules/io/files.hpp"
#include "modules/io/output_file.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

constexpr int kHeaderSize = 352;  // with the four bytes that say that there are no extensions
constexpr std::int16_t kUint8 = 2, kFloat32 = 16, kUint16 = 512;
constexpr char kMillimetres = 2;
constexpr std::int16_t kScannerSpace = 1;

class Header {
 public:
  Header() {
    put<std::int32_t>(0, 348);
    std::memcpy(bytes_.data() + 344, "n+1", 4);
    put<float>(108, kHeaderSize);
  }
  template <class T>
  void put(std::size_t at, T value) {
    std::memcpy(bytes_.data() + at, &value, sizeof value);
  }
  const std::array<char, kHeaderSize>& bytes() const { return bytes_; }

 private:
  std::array<char, kHeaderSize> bytes_{};
};

std::int16_t code_of(int type) {
  switch (type) {
    case CV_8UC1: return kUint8;
    case CV_16UC1: return kUint16;
    case CV_32FC1: return kFloat32;
    default: fail("NIfTI: expected slices of 8 or 16 bit unsigned or 32 bit float values, got OpenCV's type ", type);
  }
}

// Unit vectors along columns, rows and slices in NIfTI's space: x to the right, y to the front.
std::array<Vec3, 3> directions(const Plane& plane) {
  std::array<Vec3, 3> d{plane.along_columns, plane.along_rows, plane.normal()};
  for (Vec3& v : d) v[0] = -v[0], v[1] = -v[1];
  return d;
}

// b, c, d of the rotation whose columns are the directions (the last one turned round where they are left-handed).
Vec3 quaternion_of(const std::array<Vec3, 3>& d, double turn) {
  const auto r = [&](std::size_t row, std::size_t column) { return d[column][row] * (column == 2 ? turn : 1); };
  const double trace = r(0, 0) + r(1, 1) + r(2, 2);
  if (trace > -0.5) {
    const double a = 0.5 * std::sqrt(1 + trace);
    return {0.25 * (r(2, 1) - r(1, 2)) / a, 0.25 * (r(0, 2) - r(2, 0)) / a, 0.25 * (r(1, 0) - r(0, 1)) / a};
  }
  // Near a half turn: the largest of the three first.
  std::size_t i = 0;
  for (const std::size_t k : {std::size_t{1}, std::size_t{2}})
    if (r(k, k) > r(i, i)) i = k;
  const std::size_t j = (i + 1) % 3, k = (i + 2) % 3;
  Vec3 q{};
  q[i] = 0.5 * std::sqrt(std::max(0.0, 1 + r(i, i) - r(j, j) - r(k, k)));
  q[j] = 0.25 * (r(i, j) + r(j, i)) / q[i];
  q[k] = 0.25 * (r(i, k) + r(k, i)) / q[i];
  if (r(k, j) - r(j, k) < 0)
    for (double& v : q) v = -v;
  return q;
}

void put_place(Header& h, const Plane& plane, const Vec3& step) {
  const std::array<Vec3, 3> d = directions(plane);
  const Vec3 origin{-plane.origin[0], -plane.origin[1], plane.origin[2]};
  const double turn = dot(cross(d[0], d[1]), d[2]) < 0 ? -1 : 1;
  h.put<std::int16_t>(252, kScannerSpace), h.put<std::int16_t>(254, kScannerSpace);
  h.put<float>(76, static_cast<float>(turn));
  const Vec3 q = quaternion_of(d, turn);
  for (std::size_t i = 0; i < 3; ++i) {
    h.put<float>(256 + 4 * i, static_cast<float>(q[i]));
    h.put<float>(268 + 4 * i, static_cast<float>(origin[i]));
    for (std::size_t k = 0; k < 3; ++k) h.put<float>(280 + 16 * i + 4 * k, static_cast<float>(d[k][i] * step[k]));
    h.put<float>(280 + 16 * i + 12, static_cast<float>(origin[i]));
  }
}

Header header_of(const NiftiGeometry& g, int type, double scale) {
  Header h;
  h.put<std::int16_t>(40, 3);
  h.put<std::int16_t>(42, static_cast<std::int16_t>(g.columns));
  h.put<std::int16_t>(44, static_cast<std::int16_t>(g.rows));
  h.put<std::int16_t>(46, static_cast<std::int16_t>(g.slices));
  for (const std::size_t at : {48, 50, 52, 54}) h.put<std::int16_t>(at, 1);
  h.put<std::int16_t>(70, code_of(type));
  h.put<std::int16_t>(72, static_cast<std::int16_t>(8 * CV_ELEM_SIZE(type)));
  const PixelSpacing spacing = g.spacing.value_or(PixelSpacing{});
  const Vec3 step{spacing.columns, spacing.rows, g.step.value_or(1)};
  h.put<float>(76, 1);
  for (std::size_t i = 0; i < 3; ++i) h.put<float>(80 + 4 * i, static_cast<float>(std::abs(step[i])));
  h.put<float>(112, static_cast<float>(scale));
  if (g.spacing) h.put<char>(123, kMillimetres);
  if (g.plane && g.spacing) put_place(h, *g.plane, step);
  return h;
}

}  // namespace

struct NiftiWriter::State {
  fs::path name;
  NiftiGeometry geometry;
  int type = 0, written = 0;
  OutputFile file;
  std::unique_ptr<gzFile_s, int (*)(gzFile)> out{nullptr, ::gzclose};

  State(const fs::path& n, const NiftiGeometry& g, int t) : name(n), geometry(g), type(t), file(n) {
    out.reset(::gzopen(file.temporary().c_str(), "wb4"));
    if (!out) throw FileError(name.string() + ": cannot write: " + std::strerror(errno), errno);
  }
  void write(const void* data, std::size_t bytes) {
    errno = 0;
    if (::gzwrite(out.get(), data, static_cast<unsigned>(bytes)) != static_cast<int>(bytes)) refused();
  }
  [[noreturn]] void refused() {
    const int error = errno != 0 ? errno : EIO;
    throw FileError(name.string() + ": cannot write: " + std::strerror(error), error);
  }
};

NiftiWriter::NiftiWriter(const fs::path& file, const NiftiGeometry& g, int type, double scale) {
  constexpr int kMost = 32767;  // what the format counts
  check(g.columns > 0 && g.rows > 0 && g.slices > 0 && g.columns <= kMost && g.rows <= kMost && g.slices <= kMost, file.string(),
        ": NIfTI holds 1 to ", kMost, " columns, rows and slices, these are ", g.columns, ", ", g.rows, " and ", g.slices);
  const Header header = header_of(g, type, scale);
  state_ = std::make_unique<State>(file, g, type);
  state_->write(header.bytes().data(), header.bytes().size());
}

NiftiWriter::~NiftiWriter() = default;

void NiftiWriter::add(const cv::Mat& slice) {
  const NiftiGeometry& g = state_->geometry;
  check(slice.type() == state_->type && slice.rows == g.rows && slice.cols == g.columns && state_->written < g.slices,
        state_->name.string(), ": expected ", g.slices, " slices of ", g.columns, "x", g.rows, " and one type");
  for (int y = 0; y < slice.rows; ++y) state_->write(slice.ptr(y), static_cast<std::size_t>(slice.cols) * slice.elemSize());
  ++state_->written;
}

void NiftiWriter::finish() {
  check(state_->written == state_->geometry.slices, state_->name.string(), ": ", state_->written, " of ", state_->geometry.slices,
        " slices were written");
  errno = 0;
  if (::gzclose(state_->out.release()) != Z_OK) state_->refused();
  state_->file.keep();
}

}  // namespace fovea
