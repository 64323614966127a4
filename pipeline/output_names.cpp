#include "pipeline/output_names.hpp"

#include <algorithm>

#include "modules/core/fingerprint.hpp"

namespace fovea {
namespace {

constexpr std::size_t kMost = 255, kLongestEnding = 40, kHash = 16;  // bytes

// The last two extensions, or the last one, as far as they are short: ".jpg.json".
std::string ending_of(const std::string& name) {
  const auto last = name.rfind('.');
  if (last == std::string::npos || last == 0 || name.size() - last > kLongestEnding) return {};
  const auto before = name.rfind('.', last - 1);
  const bool both = before != std::string::npos && before > 0 && name.size() - before <= kLongestEnding;
  return name.substr(both ? before : last);
}

}  // namespace

std::filesystem::path fitting(const std::filesystem::path& file) {
  const std::string name = file.filename().string();
  if (name.size() <= kMost) return file;
  // As long for every ending, so that another format of the same output has the same beginning.
  std::size_t kept = kMost - kLongestEnding - kHash - 1;
  while (kept > 0 && (static_cast<unsigned char>(name[kept]) & 0xC0) == 0x80) --kept;  // not inside a character of UTF-8
  const std::string hash = fingerprint(file.stem().string()).substr(0, kHash);
  return file.parent_path() / (name.substr(0, kept) + "~" + hash + ending_of(name));
}

std::filesystem::path beside(const std::filesystem::path& output, std::string what) {
  std::replace_if(
      what.begin(), what.end(), [](char c) { return c == '/' || static_cast<unsigned char>(c) < 32; }, '-');
  return fitting(output.parent_path() / (output.stem().string() + '.' + what));
}

}  // namespace fovea
