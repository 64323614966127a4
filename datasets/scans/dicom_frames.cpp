#include "datasets/scans/dicom_frames.hpp"

#include <dcmtk/dcmdata/dccodec.h>
#include <dcmtk/dcmdata/dcpixel.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>
#include <dcmtk/dcmdata/dcrledrg.h>
#include <dcmtk/dcmimage/diregist.h>
#include <dcmtk/dcmimgle/dcmimage.h>
#include <dcmtk/dcmimgle/dipixel.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpls/djdecode.h>

#include <mutex>
#include <opencv2/imgproc.hpp>

namespace fovea::dicom {
namespace {

template <class T>
cv::Mat values_of(const DiPixel& pixels, int rows, int columns) {
  const cv::Mat view(rows, columns, cv::traits::Type<T>::value, const_cast<void*>(pixels.getData()));
  cv::Mat out;
  view.convertTo(out, CV_64F);
  return out;
}

// OpenCV has no unsigned 32-bit pixels.
cv::Mat unsigned_values(const DiPixel& pixels, int rows, int columns) {
  const auto* from = static_cast<const Uint32*>(pixels.getData());
  cv::Mat out(rows, columns, CV_64FC1);
  for (int y = 0; y < rows; ++y)
    for (int x = 0; x < columns; ++x) out.at<double>(y, x) = *from++;
  return out;
}

cv::Mat stored_values(const DicomImage& image, const PixelLayout& l, const std::string& file) {
  const DiPixel* pixels = image.getInterData();
  check(pixels && pixels->getData() &&
            pixels->getCount() >= static_cast<unsigned long>(l.rows) * static_cast<unsigned long>(l.columns),
        file, ": damaged DICOM: a frame has too few pixels");
  switch (pixels->getRepresentation()) {
    case EPR_Uint8: return values_of<Uint8>(*pixels, l.rows, l.columns);
    case EPR_Sint8: return values_of<Sint8>(*pixels, l.rows, l.columns);
    case EPR_Uint16: return values_of<Uint16>(*pixels, l.rows, l.columns);
    case EPR_Sint16: return values_of<Sint16>(*pixels, l.rows, l.columns);
    case EPR_Uint32: return unsigned_values(*pixels, l.rows, l.columns);
    case EPR_Sint32: return values_of<Sint32>(*pixels, l.rows, l.columns);
    default: fail(file, ": damaged DICOM: its pixels are of no known kind");
  }
}

cv::Mat colours(DicomImage& image, const PixelLayout& l, const std::string& file) {
  const bool deep = image.getDepth() > 8;
  const void* rgb = image.getOutputData(deep ? 16 : 8);
  check(rgb != nullptr, file, ": damaged DICOM: its colours cannot be decoded");
  cv::Mat out;
  cv::cvtColor(cv::Mat(l.rows, l.columns, deep ? CV_16UC3 : CV_8UC3, const_cast<void*>(rgb)), out, cv::COLOR_RGB2BGR);
  return out;
}

// `first`: the frame among those of `data`.
cv::Mat decode(DcmDataset& data, E_TransferSyntax syntax, const PixelLayout& l, int first, const std::string& file) {
  unsigned long flags = CIF_UsePartialAccessToPixelData | CIF_NeverAccessEmbeddedOverlays;
  if (!data.tagExistsWithValue(DCM_ModalityLUTSequence)) flags |= CIF_IgnoreModalityTransformation;
  DicomImage image(&data, syntax, flags, static_cast<unsigned long>(first), 1);
  check(image.getStatus() == EIS_Normal, file, ": damaged DICOM: frame ", first + 1,
        " cannot be decoded: ", DicomImage::getString(image.getStatus()));
  check(image.getHeight() == static_cast<unsigned long>(l.rows) && image.getWidth() == static_cast<unsigned long>(l.columns),
        file, ": damaged DICOM: expected a frame of ", l.columns, "x", l.rows, ", got ", image.getWidth(), "x",
        image.getHeight());
  return image.isMonochrome() ? stored_values(image, l, file) : colours(image, l, file);
}

// The bytes of one packed frame.
codec::Buffer packed_frame(DcmDataset& data, const PixelLayout& l, int frame, const std::string& file) {
  DcmElement* element = nullptr;
  DcmPixelSequence* sequence = nullptr;
  const bool found = data.findAndGetElement(DCM_PixelData, element).good() && element && element->ident() == EVR_PixelData;
  if (found) {
    auto* pixels = static_cast<DcmPixelData*>(element);
    E_TransferSyntax syntax = EXS_Unknown;
    const DcmRepresentationParameter* parameters = nullptr;
    pixels->getOriginalRepresentationKey(syntax, parameters);
    if (pixels->getEncapsulatedRepresentation(syntax, parameters, sequence).bad()) sequence = nullptr;
  }
  check(sequence != nullptr, file, ": damaged DICOM: its pixels are not packed as its transfer syntax says");
  const auto start_of = [&](int number) {
    Uint32 fragment = 0;
    const OFCondition c = DcmCodec::determineStartFragment(static_cast<Uint32>(number), l.frames, sequence, fragment);
    check(c.good(), file, ": damaged DICOM: frame ", number + 1, " cannot be found: ", c.text());
    return fragment;
  };
  const Uint32 begin = start_of(frame), end = frame + 1 < l.frames ? start_of(frame + 1) : static_cast<Uint32>(sequence->card());
  codec::Buffer bytes;
  for (Uint32 i = begin; i < end; ++i) {
    DcmPixelItem* fragment = nullptr;
    Uint8* from = nullptr;
    check(sequence->getItem(fragment, i).good() && fragment && fragment->getUint8Array(from).good() && from, file,
          ": damaged DICOM: frame ", frame + 1, " is incomplete");
    bytes.insert(bytes.end(), from, from + fragment->getLength());
  }
  return bytes;
}

// Bytes of pixel data from `at` on, of which dcmtk reads only these.
template <class T>
std::vector<T> part_of(DcmElement& element, std::size_t at, std::size_t count, const std::string& file) {
  std::vector<T> values(count);
  const OFCondition c = element.getPartialValue(values.data(), static_cast<Uint32>(at), static_cast<Uint32>(count * sizeof(T)));
  check(c.good(), file, ": damaged DICOM: a frame cannot be read: ", c.text());
  return values;
}

template <class T>
cv::Mat real_frame(DcmDataset& data, const DcmTagKey& tag, const PixelLayout& l, int frame, const std::string& file) {
  DcmElement* element = nullptr;
  check(data.findAndGetElement(tag, element).good() && element, file, ": damaged DICOM: no pixel data");
  const std::size_t count = static_cast<std::size_t>(l.rows) * static_cast<std::size_t>(l.columns);
  const std::size_t at = count * sizeof(T) * static_cast<std::size_t>(frame);
  if (at + count * sizeof(T) > UINT32_MAX) codec::unsupported(file, "more than 4 GB of pixels");
  std::vector<T> values = part_of<T>(*element, at, count, file);
  cv::Mat out;
  cv::Mat(l.rows, l.columns, cv::traits::Type<T>::value, values.data()).convertTo(out, CV_64F);
  return out;
}

// The halves of 32-bit values the right way round.
cv::Mat with_halves_swapped(const cv::Mat& values, bool is_signed) {
  cv::Mat out(values.size(), CV_64FC1);
  for (int y = 0; y < values.rows; ++y)
    for (int x = 0; x < values.cols; ++x) {
      const auto bits = static_cast<std::uint32_t>(static_cast<std::int64_t>(values.at<double>(y, x)));
      const std::uint32_t right = bits << 16 | bits >> 16;
      out.at<double>(y, x) = is_signed ? static_cast<std::int32_t>(right) : static_cast<double>(right);
    }
  return out;
}

}  // namespace

void start() {
  static std::once_flag once;
  std::call_once(once, [] {
    OFLog::configure(OFLogger::OFF_LOG_LEVEL);
    dcmEnableUnknownVRConversion.set(OFTrue);  // attributes that a program without a dictionary wrote down as "unknown"
    DcmRLEDecoderRegistration::registerCodecs();
    DJDecoderRegistration::registerCodecs();
    DJLSDecoderRegistration::registerCodecs();
  });
}

cv::Mat decode_frame(DcmDataset& data, const PixelLayout& l, int frame, const std::string& file) {
  if (l.real)
    return l.allocated == 32 ? real_frame<float>(data, DCM_FloatPixelData, l, frame, file)
                             : real_frame<double>(data, DCM_DoubleFloatPixelData, l, frame, file);
  if (l.jpeg2000) {
    const auto unpacked = unpack_jpeg2000(data, l, packed_frame(data, l, frame, file), file);
    return decode(*unpacked, EXS_LittleEndianExplicit, l, 0, file);
  }
  const cv::Mat values = decode(data, data.getCurrentXfer(), l, frame, file);
  return l.swapped_words && values.channels() == 1 ? with_halves_swapped(values, l.is_signed) : values;
}

}  // namespace fovea::dicom
