// A TIFF in memory for libtiff, with its messages kept: nothing reaches stderr, and damage that it only warns of is known.
#pragma once

#include <tiffio.h>

#include <memory>
#include <string>
#include <vector>

#include "datasets/codecs/codec.hpp"

namespace fovea::codec {

struct TiffMemory {
  View input;
  Buffer output;
  bool writing = false;
  std::uint64_t at = 0;
  bool ran_out = false;   // libtiff only warns when what a tag points at is cut off
  std::string message;    // its last error
  bool watching = false;  // set while pixels are decoded
  std::string damage;     // what decoders found then, and went on

  std::uint64_t size() const { return writing ? output.size() : input.size(); }
};

using Tiff = std::unique_ptr<TIFF, void (*)(TIFF*)>;

// Null, with a message in `memory`, where it cannot be opened. `most`: bytes that it may take at once.
Tiff open_tiff(TiffMemory& memory, const char* mode, std::int64_t most);

// Where the folders of its pages lie: the first folder's, and those of all others that are no thumbnails or masks. Ends where the chain
// is broken or goes round.
std::vector<std::uint64_t> tiff_pages(View bytes);

}  // namespace fovea::codec
