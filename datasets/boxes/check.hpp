// What is wrong, or may be, with pictures and their boxes before anything learns from them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/boxes/annotations.hpp"
#include "datasets/finding.hpp"

namespace fovea {

struct BoxCheck {
  struct Part {
    std::string name;
    std::size_t images = 0, empty = 0, objects = 0, ignored = 0;  // empty: pictures without any annotation
    std::vector<std::size_t> of_class;                            // objects that are not ignored
  };
  std::vector<std::string> classes;  // of all parts
  std::vector<Part> parts;
  // By part, then in the order of the data. Errors: "unreadable file", "missing file", "unreadable annotation", "degenerate box",
  // "box outside", "unknown class", "other size", "listed twice". Warnings: "skipped file", "box over the edge", "duplicate box",
  // "class without objects", "other classes", "near duplicate".
  std::vector<Finding> findings;

  std::size_t count(Severity severity) const { return count_of(findings, severity); }
};

// Every picture is decoded once, on all threads of the caller's width. A box is over the edge where it reaches further than
// half a pixel; two boxes of a class are one twice where their IoU is over 0.95. Near duplicates (near_duplicates.hpp) are
// looked for between parts: one finding for each picture of a later part. Throws what passes (FileError: out of memory, a read
// error).
BoxCheck check_boxes(const std::vector<BoxPart>& parts);

}  // namespace fovea
