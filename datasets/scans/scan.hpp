// Medical scans: frames in the modality's own units, and where their pixels lie in the patient. Nothing here names a patient.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <opencv2/core.hpp>
#include <optional>
#include <string>
#include <vector>

namespace fovea {

// mm in the patient as DICOM counts: x to the left, y to the back, z to the head.
using Vec3 = std::array<double, 3>;

inline double dot(const Vec3& a, const Vec3& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }
inline Vec3 cross(const Vec3& a, const Vec3& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

// Between the centres of neighbouring pixels, in mm.
struct PixelSpacing {
  double rows = 1, columns = 1;  // from row to row, from column to column
  bool at_detector = false;      // measured where the rays arrive, not in the patient: uncalibrated
};

// Where a frame lies: the centre of its first pixel, and the unit vectors in which columns and rows count.
struct Plane {
  Vec3 origin{}, along_columns{1, 0, 0}, along_rows{0, 1, 0};

  Vec3 normal() const;
  // The centre of a pixel.
  Vec3 at(double column, double row, const PixelSpacing& spacing) const;
};

// Which values become black and white (PS3.3 C.11.2.1.2).
struct Window {
  enum class Function { linear, linear_exact, sigmoid };
  double level = 0, width = 1;
  Function function = Function::linear;
  std::string name;  // "BONE"; empty: none
};

// Values of a picture for values of the modality, from `first` on: PS3.3 C.11.2.1.1.
struct VoiLut {
  double first = 0;
  int bits = 8;
  std::vector<std::uint16_t> values;
};

// What belongs to one frame.
struct FrameInfo {
  std::optional<Plane> plane;
  std::optional<PixelSpacing> spacing;
  double slope = 1, intercept = 0;  // value = stored * slope + intercept; 1 and 0 where a lookup table does it
  std::vector<Window> windows;
};

struct ScanInfo {
  std::string format;           // "DICOM"
  std::string transfer_syntax;  // how its pixels are packed: "JPEG Lossless, Non-hierarchical, 1st Order Prediction"
  std::string kind;             // of object: "CTImageStorage"
  std::string modality, body_part, view, laterality, unit;  // "CT", "CHEST", "PA", "L", "HU"; empty: not said
  std::string photometric;                                  // "MONOCHROME2"
  std::string series, frame_of_reference;                   // unique identifiers: which files lie in one space
  int rows = 0, columns = 0, frames = 1;
  int bits_stored = 0;
  bool is_signed = false, colour = false;
  bool inverted = false;                           // small values are white: MONOCHROME1
  std::optional<double> slice_thickness, padding;  // mm; the value of pixels that hold nothing
  std::optional<bool> burned_in;                   // text burned into the pixels, such as names; absent: not said
  std::vector<std::string> notes;                  // what is unusual, for people
};

// A file that is open. Frames are decoded when they are asked for, one at a time.
class Scan {
 public:
  virtual ~Scan() = default;
  virtual const ScanInfo& info() const = 0;
  virtual FrameInfo frame_info(int frame) const = 0;
  // CV_32FC1 in the modality's units (HU for CT), or CV_8UC3 or CV_16UC3 in OpenCV's order, BGR. Error with the reason where it is damaged or
  // of a kind that is not read.
  virtual cv::Mat frame(int frame) const = 0;
  // Tables that a file gives instead of windows; most have none.
  virtual std::optional<VoiLut> voi_lut() const { return std::nullopt; }
};

// Whether a file is a scan, by its first bytes.
bool is_scan(const std::filesystem::path& file);

// Opens it in a process of its own (worker.hpp), whose end is this file's fault alone. Throws Error: no scan, truncated, without pixels (and what
// it is instead), sizes that do not fit each other, "not supported: ", a decoder that crashed or took too long; FileError where the machine failed.
std::unique_ptr<Scan> open_scan(const std::filesystem::path& file);

}  // namespace fovea
