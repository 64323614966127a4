#include "datasets/codecs/tiff_file.hpp"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <set>
#include <string_view>

namespace fovea::codec {
namespace {

tmsize_t read_some(thandle_t handle, void* to, tmsize_t n) {
  auto* m = static_cast<TiffMemory*>(handle);
  const std::uint64_t left = m->at < m->size() ? m->size() - m->at : 0;
  const std::uint64_t take = std::min<std::uint64_t>(left, static_cast<std::uint64_t>(n));
  if (take) std::memcpy(to, (m->writing ? m->output.data() : m->input.data()) + m->at, take);
  m->at += take;
  m->ran_out |= take < static_cast<std::uint64_t>(n);
  return static_cast<tmsize_t>(take);
}

tmsize_t write_some(thandle_t handle, void* from, tmsize_t n) try {
  auto* m = static_cast<TiffMemory*>(handle);
  if (!m->writing) return 0;
  const auto end = m->at + static_cast<std::uint64_t>(n);
  if (end > m->output.size()) m->output.resize(end);
  std::memcpy(m->output.data() + m->at, from, static_cast<std::size_t>(n));
  m->at = end;
  return n;
} catch (const std::exception&) {
  return 0;  // libtiff reports the short write
}

toff_t seek(thandle_t handle, toff_t offset, int from) {
  auto* m = static_cast<TiffMemory*>(handle);
  m->at = offset + (from == SEEK_CUR ? m->at : from == SEEK_END ? m->size() : 0);
  return m->at;
}

std::string text_of(const char* format, va_list arguments) {
  char text[256];
  std::vsnprintf(text, sizeof text, format, arguments);
  return text;
}

int keep_error(TIFF*, void* user, const char*, const char* format, va_list arguments) try {
  auto* m = static_cast<TiffMemory*>(user);
  m->message = text_of(format, arguments);
  if (m->watching) m->damage = m->message;
  return 1;  // handled: nothing goes to stderr
} catch (const std::bad_alloc&) { return 1; }

// The decoders of faxes and of JPEG warn where they guess; what others warn of (unknown tags above all) harms no pixel.
int keep_warning(TIFF*, void* user, const char* module, const char* format, va_list arguments) try {
  auto* m = static_cast<TiffMemory*>(user);
  if (!m->watching) return 1;
  const std::string_view where = module ? module : "";
  const std::string text = text_of(format, arguments);
  const bool jpeg = where.starts_with("JPEG") && text.find("extraneous bytes") == std::string::npos &&
                    text.find("Improper JPEG") == std::string::npos && text.find("revision") == std::string::npos;
  if (jpeg || where.starts_with("Fax") || where.starts_with("PackBits")) m->damage = text;
  return 1;
} catch (const std::bad_alloc&) { return 1; }

// Numbers at places of a file that may end before them.
struct Numbers {
  View bytes;
  bool big, long_offsets;

  std::uint64_t at(std::uint64_t offset, std::uint64_t width) const {
    if (offset > bytes.size() || bytes.size() - offset < width) return 0;
    std::uint64_t value = 0;
    for (std::uint64_t i = 0; i < width; ++i) value = value << 8 | bytes[offset + (big ? i : width - 1 - i)];
    return value;
  }
  std::uint64_t count_width() const { return long_offsets ? 8 : 2; }
  std::uint64_t entry_width() const { return long_offsets ? 20 : 12; }
};

// Thumbnails and masks belong to another page.
bool is_page(const Numbers& read, std::uint64_t folder, std::uint64_t entries) {
  constexpr std::uint64_t kSubfileType = 254, kOldSubfileType = 255, kReduced = 1, kMask = 4, kOldReduced = 2;
  for (std::uint64_t i = 0; i < entries; ++i) {
    const std::uint64_t entry = folder + read.count_width() + i * read.entry_width(), tag = read.at(entry, 2);
    if (tag > kOldSubfileType) break;  // they are sorted
    const std::uint64_t width = read.at(entry + 2, 2) == 3 ? 2 : 4, value = read.at(entry + (read.long_offsets ? 12 : 8), width);
    if (tag == kSubfileType && (value & (kReduced | kMask))) return false;
    if (tag == kOldSubfileType && value == kOldReduced) return false;
  }
  return true;
}

}  // namespace

Tiff open_tiff(TiffMemory& memory, const char* mode, std::int64_t most) {
  const std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions*)> options(TIFFOpenOptionsAlloc(), TIFFOpenOptionsFree);
  if (!options) throw std::bad_alloc();
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), keep_error, &memory);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), keep_warning, &memory);
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), most);
  return Tiff(
      TIFFClientOpenExt(
          "image", mode, &memory, read_some, write_some, seek, [](thandle_t) { return 0; },
          [](thandle_t h) { return static_cast<toff_t>(static_cast<TiffMemory*>(h)->size()); }, nullptr, nullptr, options.get()),
      TIFFClose);
}

std::vector<std::uint64_t> tiff_pages(View bytes) {
  Numbers read{bytes, has_text(bytes, 0, "MM"), false};
  read.long_offsets = read.at(2, 2) == 43;
  const std::uint64_t offset_width = read.long_offsets ? 8 : 4;
  std::vector<std::uint64_t> pages;
  std::set<std::uint64_t> seen;
  std::uint64_t folder = read.at(read.long_offsets ? 8 : 4, offset_width), visited = 0;
  while (folder != 0 && folder < bytes.size() && seen.insert(folder).second) {
    const std::uint64_t entries = read.at(folder, read.count_width());
    // Folders that overlap would cost more than the file is long.
    visited += entries;
    if (entries == 0 || visited > bytes.size() / read.entry_width()) break;
    if (pages.empty() || is_page(read, folder, entries)) pages.push_back(folder);
    folder = read.at(folder + read.count_width() + entries * read.entry_width(), offset_width);
  }
  return pages;
}

}  // namespace fovea::codec
