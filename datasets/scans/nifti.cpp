#include "datasets/scans/nifti.hpp"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <mutex>
#include <opencv2/imgproc.hpp>

#include "datasets/codecs/codec.hpp"
#include "datasets/scans/nifti_header.hpp"
#include "modules/core/error.hpp"
#include "modules/io/files.hpp"

namespace fovea {
namespace {

namespace fs = std::filesystem;

// zlib reads files that are not packed as they are.
class PackedFile {
 public:
  explicit PackedFile(const fs::path& file) : name_(file.string()), file_(::gzopen(name_.c_str(), "rb"), ::gzclose) {
    if (!file_) throw FileError(name_ + ": cannot read: " + std::strerror(errno), errno);
    ::gzbuffer(file_.get(), 1 << 17);
  }
  // As many bytes as there are, up to the buffer's size. Error where the packing is damaged.
  std::size_t read(std::int64_t at, std::span<std::uint8_t> to) {
    if (::gztell(file_.get()) != at && ::gzseek(file_.get(), at, SEEK_SET) != at) fail_with_reason();
    std::size_t done = 0;
    while (done < to.size()) {
      const auto part = static_cast<unsigned>(std::min<std::size_t>(to.size() - done, 1 << 30));
      const int got = ::gzread(file_.get(), to.data() + done, part);
      if (got < 0) fail_with_reason();
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

 private:
  [[noreturn]] void fail_with_reason() {
    int code = 0;
    const std::string text = ::gzerror(file_.get(), &code);
    if (code == Z_ERRNO) throw FileError(name_ + ": cannot read: " + std::strerror(errno), errno);
    fail(name_, ": damaged or truncated gzip: ", text);
  }

  const std::string name_;
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file_;
};

struct Type {
  int code, bits, channels;
  const char* name;
};
constexpr Type kTypes[] = {{2, 8, 1, "uint8"},     {4, 16, 1, "int16"},    {8, 32, 1, "int32"},    {16, 32, 1, "float32"},
                           {64, 64, 1, "float64"}, {128, 24, 3, "rgb24"},  {256, 8, 1, "int8"},    {512, 16, 1, "uint16"},
                           {768, 32, 1, "uint32"}, {1024, 64, 1, "int64"}, {1280, 64, 1, "uint64"}};

const Type& type_of(const nifti::Header& h, const std::string& file) {
  for (const Type& t : kTypes)
    if (t.code == h.type) {
      check(t.bits == h.bits, file, ": damaged NIfTI: ", t.name, " of ", h.bits, " bits");
      return t;
    }
  codec::unsupported(file, "NIfTI voxels of type ", h.type);
}

void swap_bytes(std::span<std::uint8_t> bytes, std::size_t width) {
  for (std::size_t i = 0; i + width <= bytes.size(); i += width)
    std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(i), bytes.begin() + static_cast<std::ptrdiff_t>(i + width));
}

template <class T>
cv::Mat scaled(std::span<const std::uint8_t> bytes, int rows, int columns, double slope, double intercept) {
  cv::Mat out(rows, columns, CV_32FC1);
  const std::uint8_t* from = bytes.data();
  for (int y = 0; y < rows; ++y)
    for (int x = 0; x < columns; ++x, from += sizeof(T)) {
      T v;
      std::memcpy(&v, from, sizeof(T));
      out.at<float>(y, x) = static_cast<float>(static_cast<double>(v) * slope + intercept);
    }
  return out;
}

cv::Mat pixels_of(std::span<std::uint8_t> bytes, const nifti::Header& h, const Type& type, int rows, int columns) {
  if (type.channels == 3) {
    cv::Mat out;
    cv::cvtColor(cv::Mat(rows, columns, CV_8UC3, bytes.data()), out, cv::COLOR_RGB2BGR);
    return out;
  }
  const auto as = [&]<class T>(T) { return scaled<T>(bytes, rows, columns, h.slope, h.intercept); };
  switch (type.code) {
    case 2: return as(std::uint8_t{});
    case 4: return as(std::int16_t{});
    case 8: return as(std::int32_t{});
    case 16: return as(float{});
    case 64: return as(double{});
    case 256: return as(std::int8_t{});
    case 512: return as(std::uint16_t{});
    case 768: return as(std::uint32_t{});
    case 1024: return as(std::int64_t{});
    default: return as(std::uint64_t{});
  }
}

using Affine = std::array<std::array<double, 4>, 3>;

Vec3 column_of(const Affine& a, std::size_t column) { return {a[0][column], a[1][column], a[2][column]}; }
double length(const Vec3& v) { return std::sqrt(dot(v, v)); }
Vec3 unit(const Vec3& v) {
  const double l = length(v);
  return {v[0] / l, v[1] / l, v[2] / l};
}

class NiftiScan final : public Scan {
 public:
  explicit NiftiScan(const fs::path& file) : name_(file.string()), packed_(file) {
    std::vector<std::uint8_t> start(nifti::kHeader2);
    start.resize(packed_.read(0, start));
    header_ = nifti::read_header(start, name_);
    type_ = &type_of(header_, name_);
    codec::check_size(header_.size[1], header_.size[2], name_);
    check(header_.frames() <= 1 << 24, name_, ": too many slices: ", header_.frames());
    read_info();
  }

  const ScanInfo& info() const override { return info_; }

  FrameInfo frame_info(int frame) const override {
    check_frame(frame);
    FrameInfo about;
    about.slope = header_.slope, about.intercept = header_.intercept;
    if (header_.in_mm && !header_.affine) about.spacing = PixelSpacing{header_.step[1], header_.step[0], false};
    if (header_.affine) place(frame, *header_.affine, about);
    return about;
  }

  cv::Mat frame(int frame) const override {
    check_frame(frame);
    const auto bytes_in_frame = static_cast<std::size_t>(info_.rows) * static_cast<std::size_t>(info_.columns) *
                                static_cast<std::size_t>(header_.bits / 8);
    std::vector<std::uint8_t> bytes;
    try {
      bytes.resize(bytes_in_frame);
    } catch (const std::bad_alloc&) { throw FileError(name_ + ": not enough memory for a slice", ENOMEM); }
    {
      const std::lock_guard lock(mutex_);
      const std::size_t got = packed_.read(header_.offset + static_cast<std::int64_t>(bytes_in_frame) * frame, bytes);
      check(got == bytes_in_frame, name_, ": truncated: slice ", frame + 1, " of ", info_.frames, " has ", got, " of ",
            bytes_in_frame, " bytes");
    }
    if (header_.swapped && type_->channels == 1) swap_bytes(bytes, static_cast<std::size_t>(header_.bits / 8));
    return pixels_of(bytes, header_, *type_, info_.rows, info_.columns);
  }

 private:
  void check_frame(int frame) const {
    check(frame >= 0 && frame < info_.frames, name_, ": expected a slice from 0 to ", info_.frames - 1, ", got ", frame);
  }

  void read_info() {
    info_.format = "NIfTI-" + std::to_string(header_.version);
    info_.transfer_syntax = type_->name;
    info_.rows = static_cast<int>(header_.size[2]), info_.columns = static_cast<int>(header_.size[1]);
    info_.frames = static_cast<int>(header_.frames());
    info_.bits_stored = header_.bits;
    info_.is_signed = type_->name[0] != 'u' && type_->channels == 1;
    info_.colour = type_->channels == 3;
    info_.photometric = info_.colour ? "RGB" : "MONOCHROME2";
    if (header_.size[3] > 1 && header_.in_mm) info_.slice_thickness = header_.step[2];
    if (!header_.in_mm && !header_.affine) info_.notes.push_back("it does not say in what unit its voxels are measured");
    if (header_.affine && !right_angled())
      info_.notes.push_back("its axes are not at right angles, so its slices have no place in the patient");
  }

  bool right_angled() const {
    const Vec3 a = column_of(*header_.affine, 0), b = column_of(*header_.affine, 1);
    if (length(a) == 0 || length(b) == 0) return false;
    const Vec3 u = unit(a), v = unit(b);
    return std::abs(dot(u, v)) < 1e-3;
  }

  void place(int frame, const Affine& a, FrameInfo& about) const {
    const Vec3 x = column_of(a, 0), y = column_of(a, 1), z = column_of(a, 2), first = column_of(a, 3);
    if (!right_angled()) return;
    about.spacing = PixelSpacing{length(y), length(x), false};
    const auto slice = static_cast<double>(frame % header_.size[3]);
    Plane plane{first, unit(x), unit(y)};
    for (std::size_t i = 0; i < 3; ++i) plane.origin[i] += z[i] * slice;
    about.plane = plane;
  }

  const std::string name_;
  mutable std::mutex mutex_;
  mutable PackedFile packed_;
  nifti::Header header_;
  const Type* type_ = nullptr;
  ScanInfo info_;
};

}  // namespace

bool is_nifti(const fs::path& file) {
  try {
    PackedFile packed(file);
    std::vector<std::uint8_t> start(nifti::kHeader2);
    start.resize(packed.read(0, start));
    return nifti::version_of(start) > 0;
  } catch (const Error&) { return false; }
}

std::unique_ptr<Scan> open_nifti(const fs::path& file) { return std::make_unique<NiftiScan>(file); }

}  // namespace fovea
