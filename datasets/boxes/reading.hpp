// What the readers of boxes share: numbers and names in text from outside, and which boxes can be used.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "datasets/boxes/annotations.hpp"

namespace fovea {

// Faults of one file above which it counts as unreadable: it is something else than it should be.
inline constexpr std::size_t kMostFaults = 1000;

// Error where it is a pipe or device, for which reading would wait; a missing file is left to the reader, which says so.
void check_no_pipe(const std::filesystem::path& file);
// A text file without bytes of 0 and of at most `most_bytes`; a mark of UTF-8 is taken off. Throws Error.
std::string read_text(const std::filesystem::path& file, std::size_t most_bytes);
// The lines without their ends and without blanks around them; empty ones stay.
std::vector<std::string_view> lines_of(std::string_view text);
std::string_view trimmed(std::string_view text);
// All of the text as a number, which may be "nan" or "inf"; none where it is something else or too large for a double.
std::optional<double> number_of(std::string_view text);
// For messages: what was read, in quotes, not longer than is good to read.
std::string shown(std::string_view text);
std::string shown(const Box& box);

// Which class a name is; of equal names the first.
class ClassIndex {
 public:
  explicit ClassIndex(const std::vector<std::string>& classes);
  std::optional<std::int64_t> find(const std::string& name) const;

 private:
  std::unordered_map<std::string, std::int64_t> index_;
};

// Why a box cannot be used; `what` opens the reason: "object 3". A picture of unknown size holds any box.
std::optional<AnnotationFault> flaw_of(const AnnotatedImage& image, const Box& box, const std::string& what);
// Adds the box to the picture, or its flaw to `faults`.
void add_box(AnnotatedImage& image, const Annotation& annotation, const std::string& what, std::vector<AnnotationFault>& faults);

// 1 ... n, for formats without numbers of their own.
std::vector<std::int64_t> counted_ids(std::size_t classes);

// Error where nothing of it could be read, with the first reason.
void check_any(const BoxData& data, const std::filesystem::path& source);

// Error for names of parts that are no names of files: with a slash, hidden. An empty one is none.
void check_part_name(const std::string& name);

// Names that annotations written beside each other are found by: those of their pictures up to the extension.
class UniqueStems {
 public:
  // Error where another picture has the name already, and for names that no list of them can hold.
  void add(const std::filesystem::path& picture);

 private:
  std::unordered_map<std::string, std::filesystem::path> pictures_;
};

}  // namespace fovea
