#include "modules/io/zip.hpp"

#include <algorithm>
#include <cstring>

#include "modules/core/error.hpp"

namespace fovea {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50, kEnd64 = 0x06064b50,
                        kLocator64 = 0x07064b50;
constexpr std::uint16_t kZip64 = 1;  // the extra field that holds what 32 bits do not
constexpr std::size_t kEndSize = 22, kLongestComment = 65535, kLocatorSize = 20, kEnd64Size = 56, kCentralSize = 46,
                      kLocalSize = 30;

// Reads little-endian numbers; whatever lies outside is an Error.
struct Field {
  Bytes bytes;
  const std::string& name;

  template <class T>
  T at(std::uint64_t offset) const {
    check(offset <= bytes.size() && bytes.size() - offset >= sizeof(T), name, ": damaged archive: it ends too early");
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
  }
  Bytes part(std::uint64_t offset, std::uint64_t size) const {
    check(offset <= bytes.size() && bytes.size() - offset >= size, name, ": damaged archive: ", size, " bytes at ", offset,
          " lie outside its ", bytes.size());
    return bytes.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(size));
  }
};

struct Directory {
  std::uint64_t count, offset;
};

Directory find_directory(const Field& f) {
  const std::size_t size = f.bytes.size(), furthest = kEndSize + kLongestComment;
  for (std::size_t back = kEndSize; back <= std::min(size, furthest); ++back) {
    const std::uint64_t at = size - back;
    if (f.at<std::uint32_t>(at) != kEnd || f.at<std::uint16_t>(at + 20) + kEndSize != back) continue;
    const std::uint64_t locator = at >= kLocatorSize ? at - kLocatorSize : size;
    if (locator == size || f.at<std::uint32_t>(locator) != kLocator64)
      return {f.at<std::uint16_t>(at + 10), f.at<std::uint32_t>(at + 16)};
    const auto end = f.at<std::uint64_t>(locator + 8);
    f.part(end, kEnd64Size);
    check(f.at<std::uint32_t>(end) == kEnd64, f.name, ": damaged archive: its zip64 record is missing");
    return {f.at<std::uint64_t>(end + 32), f.at<std::uint64_t>(end + 48)};
  }
  fail(f.name, ": damaged archive: truncated, its directory is missing");
}

struct Entry {
  std::string name;
  std::uint64_t size, packed, local, next;
};

// What 32 bits do not hold stands in the zip64 field, in this order.
void read_zip64(const Field& f, Bytes extra, Entry& e) {
  const Field x{extra, f.name};
  for (std::uint64_t at = 0; at + 4 <= extra.size();) {
    const auto id = x.at<std::uint16_t>(at), length = x.at<std::uint16_t>(at + 2);
    const Field body{x.part(at + 4, length), f.name};
    std::uint64_t inside = 0;
    if (id == kZip64)
      for (std::uint64_t* value : {&e.size, &e.packed, &e.local})
        if (*value == UINT32_MAX) *value = body.at<std::uint64_t>(inside), inside += 8;
    at += 4u + length;
  }
}

Entry read_entry(const Field& f, std::uint64_t at) {
  f.part(at, kCentralSize);
  check(f.at<std::uint32_t>(at) == kCentral, f.name, ": damaged archive: an entry of its directory is missing");
  const std::uint64_t name = f.at<std::uint16_t>(at + 28), extra = f.at<std::uint16_t>(at + 30),
                      comment = f.at<std::uint16_t>(at + 32);
  const Bytes text = f.part(at + kCentralSize, name);
  Entry e{{text.begin(), text.end()},
          f.at<std::uint32_t>(at + 24),
          f.at<std::uint32_t>(at + 20),
          f.at<std::uint32_t>(at + 42),
          at + kCentralSize + name + extra + comment};
  read_zip64(f, f.part(at + kCentralSize + name, extra), e);
  check((f.at<std::uint16_t>(at + 8) & 1u) == 0, f.name, ": '", e.name, "' is encrypted");
  check(f.at<std::uint16_t>(at + 10) == 0 && e.size == e.packed, f.name, ": '", e.name,
        "' is compressed, which PyTorch's files are not; unpack it and pack it again without compression");
  return e;
}

}  // namespace

bool is_zip(Bytes bytes) {
  std::uint32_t first = 0;
  if (bytes.size() < sizeof first) return false;
  std::memcpy(&first, bytes.data(), sizeof first);
  return first == kLocal || first == kEnd;
}

std::map<std::string, Bytes> stored_entries(Bytes bytes, const std::string& name) {
  const Field f{bytes, name};
  const Directory directory = find_directory(f);
  check(directory.count <= bytes.size() / kCentralSize, name, ": damaged archive: ", directory.count,
        " entries do not fit into it");
  std::map<std::string, Bytes> out;
  std::uint64_t at = directory.offset;
  for (std::uint64_t i = 0; i < directory.count; ++i) {
    const Entry e = read_entry(f, at);
    f.part(e.local, kLocalSize);
    check(f.at<std::uint32_t>(e.local) == kLocal, name, ": damaged archive: '", e.name, "' is not where its directory says");
    const std::uint64_t data = e.local + kLocalSize + f.at<std::uint16_t>(e.local + 26) + f.at<std::uint16_t>(e.local + 28);
    check(out.emplace(e.name, f.part(data, e.size)).second, name, ": damaged archive: '", e.name, "' is there twice");
    at = e.next;
  }
  return out;
}

}  // namespace fovea
