// Tells one text from another in 16 hexadecimal digits (FNV-1a, 64 bit): of settings and recipes. Nobody is kept from forging it.
#pragma once

#include <string>
#include <string_view>

namespace fovea {

std::string fingerprint(std::string_view text);

}  // namespace fovea
