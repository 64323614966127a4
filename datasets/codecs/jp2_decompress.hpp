// JPEG 2000 by OpenJPEG, files (JP2) and bare codestreams: whole, or an Error. For builds that have the library.
#pragma once

#include <openjpeg.h>

#include <memory>

#include "datasets/codecs/codec.hpp"

namespace fovea::codec {

using Jp2Image = std::unique_ptr<opj_image_t, void (*)(opj_image_t*)>;

// Never null; its components may be of different sizes, and empty.
Jp2Image decompress_jp2(View bytes, const std::string& name);

}  // namespace fovea::codec
