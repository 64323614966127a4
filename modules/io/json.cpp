#include "modules/io/json.hpp"

#include "modules/io/files.hpp"

namespace fovea {
namespace fs = std::filesystem;

JsonValue read_json(const fs::path& file, const JsonLimits& limits) {
  std::error_code ignored;
  if (fs::is_regular_file(file, ignored))
    check(fs::file_size(file, ignored) <= limits.bytes, file.string(), ": too large for what it should hold: expected at most ",
          limits.bytes, " bytes");
  const auto bytes = read_file(file);
  return JsonValue::parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, file.string(), limits);
}

bool next_line(std::istream& in, std::string& line, std::int64_t& bytes, std::size_t most) {
  line.clear();
  bytes = 0;
  using Traits = std::char_traits<char>;
  std::streambuf& from = *in.rdbuf();
  for (auto c = from.sbumpc(); c != Traits::eof(); c = from.sbumpc()) {
    ++bytes;
    if (c == '\n') {
      if (static_cast<std::size_t>(bytes) > most) line.clear();
      return true;
    }
    if (static_cast<std::size_t>(bytes) <= most) line += Traits::to_char_type(c);
  }
  return false;
}

}  // namespace fovea
