// Files as torch.save writes them, byte by byte.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace fovea::test {

using FileBytes = std::vector<std::uint8_t>;

inline FileBytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }
inline std::string little(std::uint64_t value, int size) {
  std::string out;
  for (int i = 0; i < size; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}

// Pieces of pickles.
inline std::string pickled(const std::string& text) { return "X" + little(text.size(), 4) + text; }
inline std::string pickled(std::int64_t value) { return "J" + little(static_cast<std::uint64_t>(value), 4); }
inline std::string pickled(const std::vector<std::int64_t>& tuple) {
  std::string out = "(";
  for (const std::int64_t v : tuple) out += pickled(v);
  return out + "t";
}
inline std::string global(const std::string& module, const std::string& name) { return "c" + module + "\n" + name + "\n"; }
inline std::string ordered_dict() { return global("collections", "OrderedDict") + ")R"; }

inline std::string pickled_storage(const std::string& type, const std::string& key, std::int64_t elements, bool old = false) {
  return "(" + pickled("storage") + global("torch", type) + pickled(key) + pickled("cpu") + pickled(elements) + (old ? "N" : "") +
         "tQ";
}
inline std::string pickled_tensor(const std::string& storage, std::int64_t offset, const std::vector<std::int64_t>& shape,
                                  const std::vector<std::int64_t>& strides) {
  return global("torch._utils", "_rebuild_tensor_v2") + "(" + storage + pickled(offset) + pickled(shape) + pickled(strides) +
         "\x89" + ordered_dict() + "tR";
}
// `pairs`: pickled keys and values one behind the other.
inline std::string pickled_dict(const std::string& pairs) { return "}(" + pairs + "u"; }
inline std::string whole_pickle(const std::string& object) { return "\x80\x02" + object + "."; }

struct ZipEntry {
  std::string name, data;
  int method = 0;
};

// Stored entries and their directory, without checksums, which nobody reads.
inline FileBytes zip_of(const std::vector<ZipEntry>& entries) {
  std::string out, directory;
  for (const ZipEntry& e : entries) {
    const std::string common = little(static_cast<std::uint64_t>(e.method), 2) + little(0, 8) + little(e.data.size(), 4) +
                               little(e.data.size(), 4) + little(e.name.size(), 2);
    directory += "PK\x01\x02" + little(20, 2) + little(20, 2) + little(0, 2) + common + little(0, 2) + little(0, 2) +
                 little(0, 8) + little(out.size(), 4) + e.name;
    out += "PK\x03\x04" + little(20, 2) + little(0, 2) + common + little(0, 2) + e.name + e.data;
  }
  return bytes_of(out + directory + "PK\x05\x06" + little(0, 4) + little(entries.size(), 2) + little(entries.size(), 2) +
                  little(directory.size(), 4) + little(out.size(), 4) + little(0, 2));
}

inline std::string floats(const std::vector<float>& values) {
  std::string out(values.size() * sizeof(float), '\0');
  std::memcpy(out.data(), values.data(), out.size());
  return out;
}

// An archive of a state dict's pickle and storages by key.
inline FileBytes torch_archive(const std::string& pickle, const std::vector<ZipEntry>& storages) {
  std::vector<ZipEntry> entries{{"model/data.pkl", pickle}, {"model/byteorder", "little"}, {"model/version", "3\n"}};
  for (const ZipEntry& s : storages) entries.push_back({"model/data/" + s.name, s.data});
  return zip_of(entries);
}

inline std::string torch_magic() { return std::string("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15); }

// The older stream; storages as bytes, in the order of their keys, with their numbers of elements.
inline FileBytes torch_stream(const std::string& pickle, const std::vector<std::pair<std::string, std::string>>& storages,
                              std::size_t element = sizeof(float)) {
  std::string keys = "](", data;
  for (const auto& [key, bytes] : storages) keys += pickled(key), data += little(bytes.size() / element, 8) + bytes;
  const std::string system =
      whole_pickle("}(" + pickled("protocol_version") + pickled(1001) + pickled("little_endian") + "\x88" + "u");
  return bytes_of(torch_magic() + whole_pickle(pickled(1001)) + system + pickle + whole_pickle(keys + "e") + data);
}

}  // namespace fovea::test
