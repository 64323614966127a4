// Names of files that are made by adding to the name of another file.
#pragma once

#include <filesystem>
#include <string>

namespace fovea {

// The path where its last name is no longer than file systems take (255 bytes). Else that name's beginning, "~", a hash of the whole name without
// its last extension, and its ending: different names stay different, the same name always becomes the same.
std::filesystem::path fitting(const std::filesystem::path& file);

// A further file of the output "out/photo.jpg.json": "out/photo.jpg.<what>". What no file's name may hold in the name of a class or a map, slashes and
// control characters, becomes "-".
std::filesystem::path beside(const std::filesystem::path& output, std::string what);

}  // namespace fovea
