// A folder of pictures as a camera: one after the other at a given rate.
#pragma once

#include <filesystem>
#include <memory>

#include "pipeline/live/source.hpp"

namespace fovea {

struct FolderSourceOptions {
  double rate = 10;  // pictures a second, over 0, at most 1000
  bool loop = false;
};

// The pictures are those that every walk of the folder takes, sorted by path, as they are now; one that cannot be read when its
// turn comes is passed over, and its number is missing. Numbers and seconds go on over loops. Error: it is no folder, it holds
// no pictures, the rate; later, where all of a round cannot be read.
std::unique_ptr<LiveSource> folder_source(const std::filesystem::path& folder, const FolderSourceOptions& options = {});

}  // namespace fovea
