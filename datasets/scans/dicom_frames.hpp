// Frames of a DICOM object as stored values or colours: dcmtk unpacks all that it knows, OpenJPEG the frames of JPEG 2000.
#pragma once

#include <memory>
#include <opencv2/core.hpp>

#include "datasets/codecs/codec.hpp"
#include "datasets/scans/dicom_items.hpp"

namespace fovea::dicom {

// Once a process, before any file is opened: the decoders of dcmtk, and its messages off.
void start();

// What the pixels are, checked against each other and against how many bytes there are.
struct PixelLayout {
  int rows = 0, columns = 0, frames = 1, samples = 1;
  bool frames_unreadable = false;  // how many is no number: taken for one
  int allocated = 16, stored = 16;
  bool is_signed = false;
  bool real = false;  // Float or Double Float Pixel Data
  bool jpeg2000 = false;
  bool swapped_words = false;  // 32-bit values of big endian files: dcmtk swaps the bytes of their halves only
  std::string photometric;
};
// Error with the reason; `kind`: of object, for the message where it holds no picture; `file_size`: what packed pixels can come out of.
PixelLayout read_layout(const Item& data, E_TransferSyntax syntax, const std::string& kind, std::uintmax_t file_size);

// CV_64FC1 stored values (after a modality LUT where there is one), or BGR of 8 or 16 bits.
cv::Mat decode_frame(DcmDataset& data, const PixelLayout& layout, int frame, const std::string& file);

// A frame of JPEG 2000 as a data set of its own that is not compressed.
std::unique_ptr<DcmDataset> unpack_jpeg2000(DcmDataset& data, const PixelLayout& layout, codec::View bytes,
                                            const std::string& file);

}  // namespace fovea::dicom
