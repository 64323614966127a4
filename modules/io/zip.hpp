// Archives of stored entries, as PyTorch writes its files: found by their central directory, nothing is unpacked.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

namespace fovea {

bool is_zip(std::span<const std::uint8_t> bytes);

// The entries' bytes by name; they stay `bytes`' own. Throws Error, beginning with `name`, for an archive that is damaged, split, encrypted or
// compressed, and for one that names an entry twice. Sizes over 4 GB (zip64) are read.
std::map<std::string, std::span<const std::uint8_t>> stored_entries(std::span<const std::uint8_t> bytes, const std::string& name);

}  // namespace fovea
