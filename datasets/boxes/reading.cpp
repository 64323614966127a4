#include "datasets/boxes/reading.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "modules/core/text.hpp"
#include "modules/io/files.hpp"

namespace fovea {
namespace fs = std::filesystem;

void check_no_pipe(const fs::path& file) {
  std::error_code ignored;
  const fs::file_type type = fs::status(file, ignored).type();
  const bool waits = type == fs::file_type::fifo || type == fs::file_type::character || type == fs::file_type::socket;
  check(!waits, file.string(), ": cannot read: expected a file, this is a pipe or a device");
}

std::string read_text(const fs::path& file, std::size_t most_bytes) {
  std::error_code ignored;
  check_no_pipe(file);
  const bool regular = fs::is_regular_file(file, ignored);
  check(!regular || fs::file_size(file, ignored) <= most_bytes, file.string(),
        ": too large for what it should hold: expected at most ", most_bytes, " bytes");
  const auto bytes = read_file(file);
  std::string text(bytes.begin(), bytes.end());
  check(text.find('\0') == std::string::npos, file.string(), ": not a text file (it holds bytes of 0)");
  return text.starts_with("\xEF\xBB\xBF") ? text.substr(3) : text;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n\f\v";
  const auto begin = text.find_first_not_of(kBlanks);
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    lines.push_back(trimmed(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::optional<double> number_of(std::string_view text) {
  double value = 0;
  text = trimmed(text);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string shown(std::string_view text) {
  constexpr std::size_t kMost = 40;
  return "'" + printable(text.substr(0, kMost)) + (text.size() > kMost ? "...'" : "'");
}

std::string shown(const Box& b) { return fmt::format("{:.6g} {:.6g} {:.6g} {:.6g}", b.x1, b.y1, b.x2, b.y2); }

ClassIndex::ClassIndex(const std::vector<std::string>& classes) {
  for (std::size_t i = 0; i < classes.size(); ++i) index_.emplace(classes[i], static_cast<std::int64_t>(i));
}

std::optional<std::int64_t> ClassIndex::find(const std::string& name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<AnnotationFault> flaw_of(const AnnotatedImage& image, const Box& b, const std::string& what) {
  using Kind = AnnotationFault::Kind;
  const fs::path& file = image.source.empty() ? image.file : image.source;
  if (!std::isfinite(b.x1) || !std::isfinite(b.y1) || !std::isfinite(b.x2) || !std::isfinite(b.y2))
    return AnnotationFault{file, what + ": a box that is not finite: " + shown(b), Kind::degenerate};
  if (!is_valid(b)) return AnnotationFault{file, what + ": a box without area: " + shown(b), Kind::degenerate};
  if (image.size.empty() || clipped(b, image.size).area() > 0) return std::nullopt;
  return AnnotationFault{
      file, fmt::format("{}: a box beside its picture of {}x{}: {}", what, image.size.width, image.size.height, shown(b)),
      Kind::outside};
}

void add_box(AnnotatedImage& image, const Annotation& annotation, const std::string& what, std::vector<AnnotationFault>& faults) {
  if (auto flaw = flaw_of(image, annotation.box, what)) faults.push_back(std::move(*flaw));
  else image.annotations.push_back(annotation);
}

std::vector<std::int64_t> counted_ids(std::size_t classes) {
  std::vector<std::int64_t> ids(classes);
  for (std::size_t i = 0; i < classes; ++i) ids[i] = static_cast<std::int64_t>(i) + 1;
  return ids;
}

void check_any(const BoxData& data, const fs::path& source) {
  if (!data.images.empty()) return;
  fail(source.string(), ": no annotated picture can be read",
       !data.bad.empty()      ? "; the first reason: " + data.bad.front().reason
       : !data.faults.empty() ? "; the first reason: " + data.faults.front().file.string() + ": " + data.faults.front().reason
                              : "");
}

void check_part_name(const std::string& name) {
  const bool control = std::any_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 32; });
  check(!control && !name.starts_with('.') && name.find('/') == std::string::npos && trimmed(name) == name,
        "expected a part's name that can be a file's, got ", shown(name));
}

void UniqueStems::add(const fs::path& picture) {
  const std::string stem = picture.stem().string();
  const bool control = std::any_of(stem.begin(), stem.end(), [](char c) { return static_cast<unsigned char>(c) < 32; });
  check(!stem.empty() && !control && trimmed(stem) == stem,
        "expected the name of a picture without control characters and blanks around it, got ", shown(stem));
  const auto [other, fresh] = pictures_.emplace(stem, picture);
  check(fresh || other->second == picture, "two pictures would share the annotations '", stem, "': ", other->second.string(),
        " and ", picture.string());
}

}  // namespace fovea
