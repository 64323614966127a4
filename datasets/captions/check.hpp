// What is wrong, or may be, with pictures and their captions.
#pragma once

#include "datasets/captions/captioned.hpp"
#include "datasets/finding.hpp"

namespace fovea {

struct CaptionsCheck {
  struct Part {
    std::string name;
    std::size_t pictures = 0, captions = 0;
    std::size_t fewest = 0, most = 0;  // captions of a picture
    double words = 0;                  // of a caption, in the mean
    std::size_t vocabulary = 0;        // words that occur at least once
  };
  std::vector<Part> parts;
  // Errors: "missing file", "unreadable file", "no captions", "unreadable caption" (a line or entry that says nothing).
  // Warnings: "repeated caption" (twice of one picture), "near duplicate" (of a picture of a part before;
  // boxes/near_duplicates.hpp).
  std::vector<Finding> findings;
};

struct CaptionedSource {
  std::string name;  // opens the names of its parts; may be empty where there is one source: "all", or "no split" beside others
  CaptionedData data;
};

// By part of each source, in their order. Every picture is decoded once, on all threads of the caller's width. Throws what
// passes (FileError: out of memory, a read error).
CaptionsCheck check_captions(const std::vector<CaptionedSource>& sources);

}  // namespace fovea
