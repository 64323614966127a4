// safetensors: named tensors and text metadata in one file (github.com/huggingface/safetensors, format of version 0.4).
//   8 bytes   N, little endian
//   N bytes   JSON {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, "__metadata__": {"key": "text"}}
//   the rest  the tensors, row-major, without gaps or overlaps
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "modules/core/tensor.hpp"

namespace fovea {

struct TensorFile {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;
};

struct TensorFileHeader {
  std::map<std::string, Shape> shapes;
  std::map<std::string, std::string> metadata;
};

// Every tensor is a dense row-major copy. Types that Tensor lacks are widened to one that holds them exactly: I16 and U16 to s32,
// U32 and U64 to s64 (values over 2^63 - 1 are refused), F8_* to f32; types of less than a byte and complex ones are refused.
// Throws Error with the reason when the file is missing or is anything but a whole, consistent safetensors file.
TensorFile read_safetensors(const std::filesystem::path& file);
TensorFile parse_safetensors(std::span<const std::uint8_t> bytes, const std::string& name);
// What such a file says of itself, with the same checks: no tensor is made.
TensorFileHeader parse_safetensors_header(std::span<const std::uint8_t> bytes, const std::string& name);

// The same tensors and metadata always give the same bytes. Complete or absent, see write_file_atomically.
void write_safetensors(const std::filesystem::path& file, const TensorFile& content);

}  // namespace fovea
