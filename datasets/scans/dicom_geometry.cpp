#include "datasets/scans/dicom_geometry.hpp"

#include <cmath>

#include "modules/core/error.hpp"

namespace fovea::dicom {
namespace {

// The item of a functional group: the frame's own, or the one that all frames share; null where there is neither.
Item group(const Item& data, int frame, const DcmTagKey& sequence) {
  if (const Item own = data.in(DCM_PerFrameFunctionalGroupsSequence, frame).in(sequence)) return own;
  return data.in(DCM_SharedFunctionalGroupsSequence).in(sequence);
}

// What holds a group's attributes: the group, or in other objects the data set itself.
Item group_or_all(const Item& data, int frame, const DcmTagKey& sequence) {
  const Item found = group(data, frame, sequence);
  return found ? found : data;
}

Vec3 vec3(const std::vector<double>& v, std::size_t first = 0) { return {v[first], v[first + 1], v[first + 2]}; }

// Unit vectors to within what is written with few digits, and at right angles.
bool are_axes(const Vec3& a, const Vec3& b) {
  constexpr double kSlack = 1e-3;
  return std::abs(dot(a, a) - 1) < kSlack && std::abs(dot(b, b) - 1) < kSlack && std::abs(dot(a, b)) < kSlack;
}

std::optional<Plane> read_plane(const Item& data, int frame) {
  const auto position = group_or_all(data, frame, DCM_PlanePositionSequence).numbers(DCM_ImagePositionPatient, 3);
  const auto orientation = group_or_all(data, frame, DCM_PlaneOrientationSequence).numbers(DCM_ImageOrientationPatient, 6);
  if (!position || !orientation) return std::nullopt;
  Plane plane{vec3(*position), vec3(*orientation), vec3(*orientation, 3)};
  check(are_axes(plane.along_columns, plane.along_rows), data.file, ": ", name_of(DCM_ImageOrientationPatient),
        ": expected two unit vectors at right angles");
  // Frames of a dose lie at offsets along the normal (PS3.3 C.8.8.3.2).
  if (const auto offset = data.number(DCM_GridFrameOffsetVector, static_cast<unsigned long>(frame))) {
    const Vec3 normal = plane.normal();
    // A vector that begins with 0 is relative to the position; others are places along z.
    const double shift = *offset - data.number(DCM_GridFrameOffsetVector, 0).value_or(0);
    for (std::size_t i = 0; i < 3; ++i) plane.origin[i] += normal[i] * shift;
  }
  return plane;
}

std::optional<PixelSpacing> spacing_from(const Item& item, const DcmTagKey& tag, bool at_detector) {
  const auto v = item.numbers(tag, 2);
  if (!v) return std::nullopt;
  check((*v)[0] > 0 && (*v)[1] > 0, item.file, ": ", name_of(tag), ": expected lengths over 0, got ", (*v)[0], " and ", (*v)[1]);
  return PixelSpacing{(*v)[0], (*v)[1], at_detector};
}

std::optional<PixelSpacing> read_spacing(const Item& data, int frame) {
  if (const auto s = spacing_from(group_or_all(data, frame, DCM_PixelMeasuresSequence), DCM_PixelSpacing, false)) {
    // Equal to the detector's without a calibration that says otherwise: nobody has corrected it (PS3.3 10.7.1.3).
    const auto detector = spacing_from(data, DCM_ImagerPixelSpacing, true);
    const bool same =
        detector && detector->rows == s->rows && detector->columns == s->columns && !data.has(DCM_PixelSpacingCalibrationType);
    return PixelSpacing{s->rows, s->columns, same};
  }
  if (const auto s = spacing_from(data, DCM_ImagerPixelSpacing, true)) return s;
  return spacing_from(data, DCM_NominalScannedPixelSpacing, false);
}

void read_scale(const Item& data, int frame, FrameInfo& info) {
  if (data.has(DCM_DoseGridScaling)) {
    info.slope = *data.number(DCM_DoseGridScaling);
    return;
  }
  const Item from = group_or_all(data, frame, DCM_PixelValueTransformationSequence);
  info.slope = from.number(DCM_RescaleSlope).value_or(1);
  info.intercept = from.number(DCM_RescaleIntercept).value_or(0);
  check(info.slope != 0, data.file, ": ", name_of(DCM_RescaleSlope), ": expected a number other than 0");
}

Window::Function function_of(const std::string& text) {
  if (text == "SIGMOID") return Window::Function::sigmoid;
  return text == "LINEAR_EXACT" ? Window::Function::linear_exact : Window::Function::linear;
}

// A window that cannot be used is no reason to refuse a picture: it is for people only.
std::vector<Window> read_windows(const Item& data, int frame) {
  const Item from = group_or_all(data, frame, DCM_FrameVOILUTSequence);
  std::vector<Window> windows;
  std::vector<double> levels, widths;
  try {
    levels = from.numbers(DCM_WindowCenter), widths = from.numbers(DCM_WindowWidth);
  } catch (const Error&) { return windows; }
  const Window::Function function = function_of(from.text(DCM_VOILUTFunction));
  for (std::size_t i = 0; i < std::min(levels.size(), widths.size()); ++i)
    if (widths[i] > 0)
      windows.push_back(
          {levels[i], widths[i], function, from.text(DCM_WindowCenterWidthExplanation, static_cast<unsigned long>(i))});
  return windows;
}

}  // namespace

FrameInfo read_frame_info(const Item& data, int frame) {
  FrameInfo info;
  info.plane = read_plane(data, frame);
  info.spacing = read_spacing(data, frame);
  read_scale(data, frame, info);
  info.windows = read_windows(data, frame);
  return info;
}

std::optional<VoiLut> read_voi_lut(const Item& data) {
  const Item lut = data.in(DCM_VOILUTSequence);
  const auto about = lut ? lut.numbers(DCM_LUTDescriptor, 3) : std::nullopt;
  const Uint16* values = nullptr;
  unsigned long count = 0;
  if (!about || lut.item->findAndGetUint16Array(DCM_LUTData, values, &count).bad() || !values || count == 0) return std::nullopt;
  // 0 entries stand for 65,536; 8-bit tables may be packed two in a word, which is told from the count.
  const double said = (*about)[0] == 0 ? 65536 : (*about)[0];
  const double bits = (*about)[2];
  if (bits < 8 || bits > 16 || said < 1 || said > 65536) return std::nullopt;
  VoiLut out{(*about)[1], static_cast<int>(bits), {}};
  const auto entries = static_cast<unsigned long>(said);
  if (count >= entries) out.values.assign(values, values + entries);
  else if (bits == 8 && count * 2 >= entries)
    for (unsigned long i = 0; i < entries; ++i)
      out.values.push_back(static_cast<std::uint16_t>(values[i / 2] >> (8 * (i % 2)) & 0xff));
  else return std::nullopt;
  return out;
}

}  // namespace fovea::dicom
