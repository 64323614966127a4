// Files that hold several pictures as several inputs: pages of TIFF, frames of animated PNG.
#pragma once

#include <optional>
#include <string>

#include "datasets/image.hpp"
#include "pipeline/sources/work_list.hpp"

namespace fovea {

// One input for each page of a file that has more than one: its part is "page1", "page2" ...
InputMapping page_mapping();

// Which of them a part is, from 0; none for other parts and for whole files.
std::optional<std::size_t> page_of(const std::string& part);

// The picture that a frame or a record is about.
Image read_part(const std::filesystem::path& file, const std::string& part);

}  // namespace fovea
