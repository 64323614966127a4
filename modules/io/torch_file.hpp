// Weights as `torch.save` writes them (.pt, .pth): an archive with a pickle and the storages in it, or the older stream of pickles. Tensors
// alone are read, and no code is run: whatever else a pickle would call is refused by its name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "modules/io/safetensors.hpp"

namespace fovea {

// Whether the bytes begin as such a file does.
bool is_torch_file(std::span<const std::uint8_t> bytes);

// Tensors under dotted names: dictionaries by text inside dictionaries join theirs ("state_dict.conv1.weight"), plain values and lists are
// passed over. Dense row-major copies; 16-bit integers become s32. Throws Error with the reason for what is damaged, is no dictionary
// of tensors (a whole module, a TorchScript program), holds other objects, or would take several times the file's size.
TensorFile parse_torch(std::span<const std::uint8_t> bytes, const std::string& name);

// Either of the two kinds of files, told apart by what they begin with: this one, or safetensors.
TensorFile read_weights(const std::filesystem::path& file);

}  // namespace fovea
