#include "modules/io/safetensors.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <nlohmann/json.hpp>
#include <set>

#include "modules/io/files.hpp"

namespace fovea {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "safetensors files are little endian");
constexpr std::uint64_t kMaxHeader = 100'000'000;  // the limit of the format's own reader
constexpr const char* kMetadata = "__metadata__";

enum class Stored : std::uint8_t { same, s16, u16, u32, u64, e4m3, e5m2, e8m0 };

struct Format {
  const char* name;
  Stored stored;
  DType dtype;  // of the tensor read
  std::uint64_t size;
};
// The first format of a dtype is the one written.
constexpr Format kFormats[] = {
    {"F32", Stored::same, DType::f32, 4},     {"F16", Stored::same, DType::f16, 2},     {"BF16", Stored::same, DType::bf16, 2},
    {"F64", Stored::same, DType::f64, 8},     {"I64", Stored::same, DType::s64, 8},     {"I32", Stored::same, DType::s32, 4},
    {"U8", Stored::same, DType::u8, 1},       {"I8", Stored::same, DType::s8, 1},       {"BOOL", Stored::same, DType::boolean, 1},
    {"I16", Stored::s16, DType::s32, 2},      {"U16", Stored::u16, DType::s32, 2},      {"U32", Stored::u32, DType::s64, 4},
    {"U64", Stored::u64, DType::s64, 8},      {"F8_E4M3", Stored::e4m3, DType::f32, 1}, {"F8_E5M2", Stored::e5m2, DType::f32, 1},
    {"F8_E8M0", Stored::e8m0, DType::f32, 1},
};

struct Entry {
  const Format* format;
  Shape shape;
  std::uint64_t begin, end;
};

// 1 sign bit, then exponent and mantissa; e4m3 has no infinities and one NaN, as in arXiv:2209.05433.
float from_float8(std::uint8_t bits, int mantissa_bits, int bias, bool infinities) {
  const int exponent = (bits & 0x7f) >> mantissa_bits, mantissa = bits & ((1 << mantissa_bits) - 1);
  const int top = 0x7f >> mantissa_bits;
  float value = 0;
  if (infinities ? exponent == top && mantissa != 0 : (bits & 0x7f) == 0x7f) value = std::numeric_limits<float>::quiet_NaN();
  else if (infinities && exponent == top) value = std::numeric_limits<float>::infinity();
  else if (exponent == 0) value = std::ldexp(static_cast<float>(mantissa), 1 - bias - mantissa_bits);
  else value = std::ldexp(static_cast<float>(mantissa + (1 << mantissa_bits)), exponent - bias - mantissa_bits);
  return bits & 0x80 ? -value : value;
}

float from_power(std::uint8_t bits) {  // e8m0: a bare power of two
  return bits == 0xff ? std::numeric_limits<float>::quiet_NaN() : std::ldexp(1.0f, bits - 127);
}

template <class From, class To, class F>
void widen(Tensor& to, const std::uint8_t* from, F&& convert) {
  To* out = to.data<To>();
  const std::int64_t n = to.size();
  for (std::int64_t i = 0; i < n; ++i) {
    From value;  // the file promises no alignment
    std::memcpy(&value, from + static_cast<std::size_t>(i) * sizeof(From), sizeof(From));
    out[i] = convert(value);
  }
}

Tensor decode(const Entry& e, const std::uint8_t* bytes, const std::string& where) {
  Tensor t = Tensor::empty(e.shape, e.format->dtype);
  const std::size_t size = static_cast<std::size_t>(e.end - e.begin);
  if (size == 0) return t;
  auto wide = [](auto v) { return static_cast<std::int64_t>(v); };
  auto plain = [](auto v) { return static_cast<std::int32_t>(v); };
  switch (e.format->stored) {
    case Stored::same:
      if (t.dtype() == DType::boolean)  // any other byte in a bool is undefined behaviour
        check(std::all_of(bytes, bytes + size, [](std::uint8_t b) { return b < 2; }), where, ": a BOOL is neither 0 nor 1");
      std::memcpy(t.raw(), bytes, size);
      break;
    case Stored::s16: widen<std::int16_t, std::int32_t>(t, bytes, plain); break;
    case Stored::u16: widen<std::uint16_t, std::int32_t>(t, bytes, plain); break;
    case Stored::u32: widen<std::uint32_t, std::int64_t>(t, bytes, wide); break;
    case Stored::u64:
      widen<std::uint64_t, std::int64_t>(t, bytes, [&](std::uint64_t v) {
        check(v <= static_cast<std::uint64_t>(INT64_MAX), where, ": the U64 value ", v, " does not fit into s64");
        return static_cast<std::int64_t>(v);
      });
      break;
    case Stored::e4m3: widen<std::uint8_t, float>(t, bytes, [](auto v) { return from_float8(v, 3, 7, false); }); break;
    case Stored::e5m2: widen<std::uint8_t, float>(t, bytes, [](auto v) { return from_float8(v, 2, 15, true); }); break;
    case Stored::e8m0: widen<std::uint8_t, float>(t, bytes, from_power); break;
  }
  return t;
}

// JSON as the header may be: at most three levels and no name twice (which of the two would count?).
json parse_header(const char* begin, const char* end, const std::string& name) {
  std::vector<std::set<std::string>> keys;
  auto watch = [&](int depth, json::parse_event_t event, json& value) {
    using Event = json::parse_event_t;
    if (event == Event::object_start || event == Event::array_start)
      check(depth <= 2, name, ": damaged header: JSON nested deeper than a safetensors header is");
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key) {
      const auto& key = value.get_ref<const std::string&>();
      check(keys.back().insert(key).second, name, ": damaged header: \"", key, "\" is there twice");
    }
    return true;
  };
  try {
    json header = json::parse(begin, end, watch);
    check(header.is_object(), name, ": damaged header: expected a JSON object, got ", header.type_name());
    return header;
  } catch (const json::exception& e) { fail(name, ": damaged header: it is not JSON: ", e.what()); }
}

const json& member(const json& object, const char* key, const std::string& where) {
  const auto found = object.find(key);
  check(found != object.end(), where, ": damaged header: \"", key, "\" is missing");
  return *found;
}

std::int64_t count(const json& value, const std::string& where, const char* what) {
  check(value.is_number_unsigned() && value.get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX), where,
        ": damaged header: ", what, ": expected integers from 0 to 2^63 - 1");
  return value.get<std::int64_t>();
}

const Format& format_of(const json& dtype, const std::string& where) {
  check(dtype.is_string(), where, ": damaged header: dtype: expected text, got ", dtype.type_name());
  const auto& text = dtype.get_ref<const std::string&>();
  for (const Format& f : kFormats)
    if (text == f.name) return f;
  fail(where, ": dtype ", text, " cannot be read: convert the tensor to F32, F16 or BF16 where the file was made");
}

Entry parse_entry(const json& object, const std::string& where) {
  check(object.is_object(), where, ": damaged header: expected an object, got ", object.type_name());
  Entry e{&format_of(member(object, "dtype", where), where), {}, 0, 0};
  const json& shape = member(object, "shape", where);
  check(shape.is_array() && shape.size() <= Shape::kMaxRank, where, ": shape: expected a list of at most ", Shape::kMaxRank,
        " sizes");
  // Zeros are left out of the check: strides multiply the other sizes, and must not overflow either.
  std::uint64_t bytes = e.format->size;
  bool fits = true, empty = false;
  for (const json& d : shape) {
    const std::int64_t size = count(d, where, "shape");
    e.shape.push_back(size);
    empty |= size == 0;
    fits &= !__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(std::max<std::int64_t>(size, 1)), &bytes);
  }
  check(fits && bytes <= static_cast<std::uint64_t>(INT64_MAX), where, ": damaged header: shape ", e.shape,
        " has too many elements");
  if (empty) bytes = 0;
  const json& offsets = member(object, "data_offsets", where);
  check(offsets.is_array() && offsets.size() == 2, where, ": damaged header: data_offsets: expected [begin, end]");
  e.begin = static_cast<std::uint64_t>(count(offsets[0], where, "data_offsets"));
  e.end = static_cast<std::uint64_t>(count(offsets[1], where, "data_offsets"));
  check(e.begin <= e.end && e.end - e.begin == bytes, where, ": damaged header: ", e.format->name, " of shape ", e.shape,
        " takes ", bytes, " bytes, data_offsets are ", e.begin, " and ", e.end);
  return e;
}

// The tensors must fill the data exactly, in whatever order: a file can then hide nothing and lack nothing.
void check_coverage(const std::map<std::string, Entry>& entries, std::uint64_t size, const std::string& name) {
  std::vector<const std::pair<const std::string, Entry>*> order;
  for (const auto& e : entries) order.push_back(&e);
  std::sort(order.begin(), order.end(), [](auto* a, auto* b) {
    return std::pair(a->second.begin, a->second.end) < std::pair(b->second.begin, b->second.end);
  });
  std::uint64_t at = 0;
  for (const auto* e : order) {
    check(e->second.end <= size, name, ": truncated: \"", e->first, "\" ends at byte ", e->second.end,
          " of the data, the file has ", size);
    check(e->second.begin >= at, name, ": damaged header: \"", e->first, "\" overlaps the tensor before it");
    check(e->second.begin == at, name, ": damaged header: ", e->second.begin - at, " bytes before \"", e->first,
          "\" belong to no tensor");
    at = e->second.end;
  }
  check(at == size, name, ": damaged: ", size - at, " bytes after the last tensor");
}

std::string tensor_name(const std::string& file, const std::string& tensor) { return file + ": tensor \"" + tensor + "\""; }

const Format& format_of(DType dtype) {
  return *std::find_if(std::begin(kFormats), std::end(kFormats), [&](const Format& f) { return f.dtype == dtype; });
}

// Wide types first: with the header padded to 8 bytes every tensor is aligned for those who map the file.
std::vector<std::pair<std::string, Tensor>> in_file_order(const TensorFile& content, const std::string& name) {
  std::vector<std::pair<std::string, Tensor>> order;
  for (const auto& [key, tensor] : content.tensors) {
    check(key != kMetadata, name, ": a tensor cannot be named ", kMetadata);
    check(tensor.defined(), tensor_name(name, key), ": cannot be written: it is undefined");
    order.emplace_back(key, tensor.contiguous(Layout::row_major));
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return size_of(a.second.dtype()) > size_of(b.second.dtype()); });
  return order;
}

std::string header_text(const std::vector<std::pair<std::string, Tensor>>& order, const TensorFile& content,
                        const std::string& name) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!content.metadata.empty()) header[kMetadata] = content.metadata;
  std::uint64_t at = 0;
  for (const auto& [key, tensor] : order) {
    const std::vector<std::int64_t> shape(tensor.shape().begin(), tensor.shape().end());
    header[key] = {{"dtype", format_of(tensor.dtype()).name}, {"shape", shape}, {"data_offsets", {at, at + tensor.bytes()}}};
    at += tensor.bytes();
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const json::exception&) { fail(name, ": cannot be written: a name or a text of the metadata is not UTF-8"); }
  text.append((8 - text.size() % 8) % 8, ' ');
  check(text.size() <= kMaxHeader, name, ": cannot be written: the header takes ", text.size(), " bytes, the format allows ",
        kMaxHeader);
  return text;
}

struct Parsed {
  std::map<std::string, Entry> entries;
  std::map<std::string, std::string> metadata;
  std::span<const std::uint8_t> data;
};

Parsed parse(std::span<const std::uint8_t> bytes, const std::string& name) {
  check(bytes.size() >= 8, name, ": not a safetensors file: it has ", bytes.size(), " bytes, the shortest has 10");
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  check(length <= kMaxHeader, name, ": not a safetensors file, or damaged: its header would take ", length,
        " bytes, the format allows ", kMaxHeader);
  check(length <= bytes.size() - 8, name, ": truncated: the header takes ", length, " bytes, the file has ", bytes.size() - 8,
        " after its length");
  const char* text = reinterpret_cast<const char*>(bytes.data()) + 8;
  check(length > 0 && *text == '{', name, ": not a safetensors file: expected a header that begins with {");
  const json header = parse_header(text, text + length, name);

  Parsed file;
  for (const auto& [key, value] : header.items()) {
    if (key != kMetadata) {
      file.entries.emplace(key, parse_entry(value, tensor_name(name, key)));
      continue;
    }
    check(value.is_object(), name, ": damaged header: ", kMetadata, ": expected an object, got ", value.type_name());
    for (const auto& [k, v] : value.items()) {
      check(v.is_string(), name, ": damaged header: ", kMetadata, ": \"", k, "\": expected text, got ", v.type_name());
      file.metadata.emplace(k, v.get<std::string>());
    }
  }
  file.data = bytes.subspan(8 + static_cast<std::size_t>(length));
  check_coverage(file.entries, file.data.size(), name);
  return file;
}

}  // namespace

TensorFileHeader parse_safetensors_header(std::span<const std::uint8_t> bytes, const std::string& name) {
  Parsed parsed = parse(bytes, name);
  TensorFileHeader header{{}, std::move(parsed.metadata)};
  for (const auto& [key, e] : parsed.entries) header.shapes.emplace(key, e.shape);
  return header;
}

TensorFile parse_safetensors(std::span<const std::uint8_t> bytes, const std::string& name) try {
  Parsed parsed = parse(bytes, name);
  TensorFile file{{}, std::move(parsed.metadata)};
  for (const auto& [key, e] : parsed.entries)
    file.tensors.emplace(key, decode(e, parsed.data.data() + e.begin, tensor_name(name, key)));
  return file;
} catch (const std::bad_alloc&) { fail(name, ": not enough memory to read its ", bytes.size(), " bytes"); }

TensorFile read_safetensors(const std::filesystem::path& file) { return parse_safetensors(read_file(file), file.string()); }

void write_safetensors(const std::filesystem::path& file, const TensorFile& content) {
  const auto order = in_file_order(content, file.string());
  const std::string header = header_text(order, content, file.string());
  const std::uint64_t length = header.size();
  std::vector<Bytes> parts{{&length, 8}, {header.data(), header.size()}};
  for (const auto& [key, tensor] : order) parts.push_back({tensor.raw(), tensor.bytes()});
  write_file_atomically(file, parts);
}

}  // namespace fovea
