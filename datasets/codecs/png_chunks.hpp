// A PNG as a list of chunks, none longer than the file: libpng takes the memory that a length claims before it looks for the bytes.
#pragma once

#include <string>
#include <vector>

#include "datasets/codecs/codec.hpp"

namespace fovea::codec {

struct PngChunk {
  std::string type;
  View data;
};

// All up to IEND. Throws Error, by name, for a chunk that reaches behind the end, a missing IEND, and Apple's own kind of PNG.
std::vector<PngChunk> png_chunks(View bytes, const std::string& name);

void append_png_chunk(Buffer& file, const std::string& type, View data);

// PNG's numbers have four bytes, the highest first.
std::uint32_t png_number(View four);
void put_png_number(std::uint32_t value, std::uint8_t* to);

// EXIF's 1 ... 8 from eXIf, from the EXIF that ImageMagick writes as text, or from XMP, in this order; 1 where there is none.
int png_orientation(const std::vector<PngChunk>& chunks);

}  // namespace fovea::codec
