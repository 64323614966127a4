#include <dcmtk/dcmdata/dcxfer.h>

#include <algorithm>

#include "datasets/scans/dicom_frames.hpp"
#include "modules/core/error.hpp"

namespace fovea::dicom {
namespace {

bool is_jpeg2000(E_TransferSyntax s) {
  return s == EXS_JPEG2000LosslessOnly || s == EXS_JPEG2000 || s == EXS_JPEG2000MulticomponentLosslessOnly ||
         s == EXS_JPEG2000Multicomponent;
}

bool dcmtk_unpacks(E_TransferSyntax s) {
  switch (s) {
    case EXS_RLELossless:
    case EXS_JPEGProcess1:
    case EXS_JPEGProcess2_4:
    case EXS_JPEGProcess6_8:
    case EXS_JPEGProcess10_12:
    case EXS_JPEGProcess14:
    case EXS_JPEGProcess14SV1:
    case EXS_JPEGLSLossless:
    case EXS_JPEGLSLossy: return true;
    default: return false;
  }
}

// NumberOfFrames is text, which some programs fill badly; the bytes then say whether one frame is right.
bool frames_are_readable(const Item& data) {
  try {
    data.number(DCM_NumberOfFrames);
    return true;
  } catch (const Error&) { return false; }
}

void check_bytes(const Item& data, const PixelLayout& l) {
  DcmElement* element = nullptr;
  const DcmTagKey& tag = l.real ? (l.allocated == 32 ? DCM_FloatPixelData : DCM_DoubleFloatPixelData) : DCM_PixelData;
  check(data.item->findAndGetElement(tag, element).good() && element, data.file, ": damaged DICOM: no pixel data");
  const double in_pixel = l.photometric == "YBR_FULL_422" || l.photometric == "YBR_PARTIAL_422" ? 2 : l.samples;
  const double bits = in_pixel * l.allocated * l.rows * l.columns * l.frames;
  const auto expected = static_cast<std::uint64_t>((bits + 7) / 8), got = static_cast<std::uint64_t>(element->getLengthField());
  check(got >= expected, data.file, ": truncated: expected ", expected, " bytes of pixels (", l.frames, " frames of ", l.columns,
        "x", l.rows, "), got ", got);
}

}  // namespace

PixelLayout read_layout(const Item& data, E_TransferSyntax syntax, const std::string& kind, std::uintmax_t file_size) {
  PixelLayout l;
  DcmElement* element = nullptr;
  const bool f32 = data.has(DCM_FloatPixelData), f64 = data.has(DCM_DoubleFloatPixelData);
  l.real = f32 || f64;
  const bool any = l.real || (data.item->findAndGetElement(DCM_PixelData, element).good() && element);
  check(any, data.file, ": expected a picture, got none", kind.empty() ? "" : ": its kind is " + kind);
  l.rows = data.whole(DCM_Rows, 1, 65535);
  l.columns = data.whole(DCM_Columns, 1, 65535);
  // Of packed pixels nothing else tells before they are unpacked. A plain area takes a bit or two for eight by eight pixels.
  constexpr std::int64_t kMostInByte = 1 << 10, kAlways = 1 << 24;
  const DcmXfer xfer(syntax);
  const bool packed = xfer.isEncapsulated();
  const auto most = std::max(kAlways, static_cast<std::int64_t>(file_size) * kMostInByte);
  codec::check_size(l.columns, l.rows, data.file, packed ? most : INT64_MAX);
  l.frames_unreadable = !frames_are_readable(data);
  l.frames = l.frames_unreadable ? 1 : data.whole(DCM_NumberOfFrames, 1, 1 << 24, 1);
  l.photometric = data.text(DCM_PhotometricInterpretation);
  l.samples = data.whole(DCM_SamplesPerPixel, 1, 4, l.real ? std::optional(1) : std::nullopt);
  l.allocated = f32 ? 32 : f64 ? 64 : data.whole(DCM_BitsAllocated, 1, 64);
  l.stored = l.real ? l.allocated : data.whole(DCM_BitsStored, 1, l.allocated);
  l.is_signed = !l.real && data.whole(DCM_PixelRepresentation, 0, 1, 0) == 1;
  if (l.samples != 1 && l.samples != 3) codec::unsupported(data.file, "pixels of ", l.samples, " samples");
  if (!l.real && l.allocated != 1 && l.allocated != 8 && l.allocated != 16 && l.allocated != 32)
    codec::unsupported(data.file, "samples of ", l.allocated, " bits");
  l.jpeg2000 = is_jpeg2000(syntax);
  l.swapped_words = !packed && xfer.isBigEndian() && l.allocated == 32 && !l.real;
  if (packed && !l.jpeg2000 && !dcmtk_unpacks(syntax)) codec::unsupported(data.file, "pixels packed as ", xfer.getXferName());
  if (!packed) check_bytes(data, l);
  return l;
}

}  // namespace fovea::dicom
