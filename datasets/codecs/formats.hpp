// Every picture format that is known by name: what it is called, how it is recognised, and whether and how this build reads and writes it.
#pragma once

#include <span>
#include <string>

#include "datasets/codecs/codec.hpp"

namespace fovea::codec {

struct Format {
  const char* name;                                       // for people
  const char* extensions;                                 // each between blanks, the first is canonical
  const char* dependency = "";                            // what a build must have found to read it; empty: always there
  Decoded (*decode)(View, const std::string&) = nullptr;  // null: cannot be read by this build
  // Of formats that hold several pictures; null: they hold one.
  std::size_t (*count_pages)(View, const std::string&) = nullptr;
  Decoded (*decode_page)(View, const std::string&, std::size_t) = nullptr;
  Buffer (*encode)(const Image&, const EncodeOptions&) = nullptr;
  bool deep = false, alpha = false;  // what is written holds 16 bit, alpha
  int largest_side = 0;              // of what is written, in pixels; 0: no limit of its own
  bool weak_signature = false;       // its first bytes are met in files of other kinds
};

std::span<const Format> formats();

// Null: no picture format that is known. `extension` without dot, in any case.
const Format* by_extension(const std::string& extension);
// `first`: the file's first bytes, 32 are enough.
const Format* by_content(View first);

}  // namespace fovea::codec
