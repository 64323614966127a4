#include "modules/io/safetensors.hpp"

#include <cmath>
#include <cstring>
#include <random>

#include "modules/io/files.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/shared.hpp"

using namespace fovea;

namespace {

using Buffer = std::vector<std::uint8_t>;

Buffer file_of(const std::string& header, const Buffer& data = {}) {
  const std::uint64_t n = header.size();
  Buffer bytes(8 + header.size() + data.size());
  std::memcpy(bytes.data(), &n, 8);
  std::copy(header.begin(), header.end(), bytes.begin() + 8);
  std::copy(data.begin(), data.end(), bytes.end() - static_cast<std::ptrdiff_t>(data.size()));
  return bytes;
}

std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"a":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

void refused(const Buffer& bytes, const std::string& reason) {
  INFO("expected: " << reason);
  std::string message = "it was read";
  try {
    parse_safetensors(bytes, "x.safetensors");
  } catch (const Error& e) { message = e.what(); }
  INFO("message: " << message);
  CHECK(message.find(reason) != std::string::npos);
  CHECK(message.find("x.safetensors") != std::string::npos);
}

template <class T>
Tensor read_one(const std::string& dtype, const std::vector<T>& raw) {
  Buffer data(raw.size() * sizeof(T));
  std::memcpy(data.data(), raw.data(), data.size());
  const auto n = std::to_string(raw.size());
  const auto file = parse_safetensors(file_of(one(dtype, "[" + n + "]", "[0," + std::to_string(data.size()) + "]"), data), "x");
  return file.tensors.at("a");
}

TensorFile sample() {
  TensorFile f;
  f.tensors["weight"] = Tensor::from(std::vector<float>{1, -2, 3.5f, 1e30f, -0.0f, 6}, {2, 3});
  f.tensors["half"] = Tensor::from(std::vector<float>{1, -2, 0.333251953125f}, {3}).to(DType::f16);
  f.tensors["brain"] = Tensor::from(std::vector<float>{1, -2, 3}, {3, 1}).to(DType::bf16);
  f.tensors["double"] = Tensor::from(std::vector<double>{M_PI}, {});
  f.tensors["s32"] = Tensor::from(std::vector<std::int32_t>{-7, 7}, {2});
  f.tensors["s64"] = Tensor::from(std::vector<std::int64_t>{INT64_MIN, INT64_MAX}, {2});
  f.tensors["u8"] = Tensor::from(std::vector<std::uint8_t>{0, 255, 3}, {3});
  f.tensors["s8"] = Tensor::from(std::vector<std::int8_t>{-128, 127, 3}, {3});
  f.tensors["flag"] = Tensor::zeros({2}, DType::boolean);
  f.tensors["none"] = Tensor::zeros({0, 4});
  f.tensors["\"quoted\" \n \xc3\xa4"] = Tensor::zeros({1});
  f.metadata = {{"fovea.format", "1"}, {"text", "line\nline \"x\""}};
  return f;
}

void same(const TensorFile& a, const TensorFile& b) {
  REQUIRE(a.tensors.size() == b.tensors.size());
  CHECK(a.metadata == b.metadata);
  for (const auto& [name, t] : a.tensors) {
    INFO(name);
    const Tensor& u = b.tensors.at(name);
    CHECK(t.dtype() == u.dtype());
    REQUIRE(t.shape() == u.shape());
    CHECK((t.bytes() == 0 || std::memcmp(t.raw(), u.raw(), t.bytes()) == 0));
  }
}

}  // namespace

TEST_CASE("safetensors: every dtype survives a round trip, bytes are the same each time", "[io]") {
  test::Folder folder;
  const TensorFile f = sample();
  write_safetensors(folder / "a.safetensors", f);
  same(f, read_safetensors(folder / "a.safetensors"));
  write_safetensors(folder / "b.safetensors", f);
  const Buffer a = read_file(folder / "a.safetensors");
  CHECK(a == read_file(folder / "b.safetensors"));
  std::uint64_t header = 0;
  std::memcpy(&header, a.data(), 8);
  CHECK(header % 8 == 0);
  write_safetensors(folder / "empty.safetensors", {});
  CHECK(read_safetensors(folder / "empty.safetensors").tensors.empty());
}

TEST_CASE("safetensors: strided tensors are written in logical order", "[io]") {
  test::Folder folder;
  const Tensor rows = Tensor::from(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3});
  const Tensor map = Tensor::from(std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8}, {1, 2, 2, 2}).contiguous(Layout::channels_last);
  write_safetensors(folder / "a", {{{"t", rows.permute({1, 0})}, {"map", map}}, {}});
  const auto back = read_safetensors(folder / "a");
  CHECK(back.tensors.at("t").values() == std::vector<double>{1, 4, 2, 5, 3, 6});
  CHECK(back.tensors.at("map").values() == std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8});
}

TEST_CASE("safetensors: types that Tensor lacks are widened exactly", "[io]") {
  CHECK(read_one<std::int16_t>("I16", {-32768, 32767}).values() == std::vector<double>{-32768, 32767});
  CHECK(read_one<std::uint16_t>("U16", {0, 65535}).values() == std::vector<double>{0, 65535});
  CHECK(read_one<std::uint32_t>("U32", {0, 4294967295u}).values() == std::vector<double>{0, 4294967295.0});
  CHECK(read_one<std::uint64_t>("U64", {5}).dtype() == DType::s64);
  const auto e4m3 = read_one<std::uint8_t>("F8_E4M3", {0x00, 0x01, 0x38, 0x7e, 0xfe, 0x7f}).values();
  CHECK(std::vector<double>(e4m3.begin(), e4m3.end() - 1) == std::vector<double>{0, std::ldexp(1, -9), 1, 448, -448});
  CHECK(std::isnan(e4m3.back()));
  const auto e5m2 = read_one<std::uint8_t>("F8_E5M2", {0x01, 0x3c, 0x7b, 0xfc, 0x7d}).values();
  CHECK(std::vector<double>(e5m2.begin(), e5m2.end() - 1) == std::vector<double>{std::ldexp(1, -16), 1, 57344, -INFINITY});
  CHECK(std::isnan(e5m2.back()));
  const auto e8m0 = read_one<std::uint8_t>("F8_E8M0", {0, 127, 254, 255}).values();
  CHECK(std::vector<double>(e8m0.begin(), e8m0.end() - 1) == std::vector<double>{std::ldexp(1, -127), 1, std::ldexp(1, 127)});
  CHECK(std::isnan(e8m0.back()));
}

TEST_CASE("safetensors: damaged and hostile files are refused with the reason", "[io]") {
  const Buffer four(4), eight(8);
  refused({}, "it has 0 bytes");
  refused(Buffer(8), "expected a header that begins with {");
  refused(Buffer(8, 0xff), "its header would take");
  refused({200, 0, 0, 0, 0, 0, 0, 0, '{', '}'}, "truncated");
  refused(file_of("{\"a\":"), "it is not JSON");
  refused(file_of("{\"a\xff\":1}"), "it is not JSON");
  refused(file_of(" {}"), "begins with {");
  refused(file_of("{\"a\":" + std::string(1'000'000, '[')), "nested deeper");
  refused(file_of("{\"a\":" + std::string(1'000'000, '{')), "JSON");
  refused(file_of(R"({"a":1})"), "expected an object");
  refused(file_of(R"({"a":{}})"), "\"dtype\" is missing");
  refused(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"dtype":"I32"}})", four), "\"dtype\" is there twice");
  refused(file_of(R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})"),
          "\"a\" is there twice");
  refused(file_of(R"({"__metadata__":{"a":1}})"), "expected text");
  refused(file_of(R"({"__metadata__":[]})"), "expected an object");
  refused(file_of(one("F4", "[8]", "[0,4]"), four), "F4 cannot be read");
  refused(file_of(one("F32", "[1]", "[0,4]")), "truncated");
  refused(file_of(one("F32", "[1]", "[0,4]"), eight), "4 bytes after the last tensor");
  refused(file_of(one("F32", "[1]", "[4,8]"), eight), "belong to no tensor");
  refused(file_of(one("F32", "[2]", "[0,4]"), four), "takes 8 bytes");
  refused(file_of(one("F32", "[1]", "[4,0]"), four), "takes 4 bytes");
  refused(file_of(one("F32", "[-1]", "[0,4]"), four), "expected integers");
  refused(file_of(one("F32", "[1.0]", "[0,4]"), four), "expected integers");
  refused(file_of(one("F32", "[1]", "[0,1e400]"), four), "JSON");
  refused(file_of(one("F32", "[1]", "[0,18446744073709551615]"), four), "expected integers");
  refused(file_of(one("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), four), "at most 8");
  refused(file_of(one("F32", "[4294967296,4294967296]", "[0,0]")), "too many elements");
  refused(file_of(one("F32", "[0,4294967296,4294967296]", "[0,0]")), "too many elements");
  refused(file_of(one("F32", "[4611686018427387904]", "[0,0]")), "too many elements");
  refused(file_of(one("F32", "1", "[0,4]"), four), "expected a list");
  refused(file_of(one("F32", "[1]", "[0]"), four), "expected [begin, end]");
  refused(file_of(one("BOOL", "[4]", "[0,4]"), {0, 1, 2, 0}), "neither 0 nor 1");
  refused(file_of(one("U64", "[1]", "[0,8]"), Buffer(8, 0xff)), "does not fit into s64");
  refused(file_of(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})",
                  Buffer(6)),
          "overlaps");
}

TEST_CASE("safetensors: what cannot be written is refused", "[io]") {
  test::Folder folder;
  CHECK_THROWS_AS(write_safetensors(folder / "a", {{{"a", Tensor()}}, {}}), Error);
  CHECK_THROWS_AS(write_safetensors(folder / "a", {{{"__metadata__", Tensor::zeros({1})}}, {}}), Error);
  CHECK_THROWS_AS(write_safetensors(folder / "a", {{}, {{"key", "\xff"}}}), Error);
  CHECK(folder.entries() == 0);
}

TEST_CASE("safetensors: no truncation and no changed byte brings it down", "[io]") {
  test::Folder folder;
  write_safetensors(folder / "a", sample());
  const Buffer whole = read_file(folder / "a");
  for (std::size_t n = 0; n < whole.size(); ++n) CHECK_THROWS_AS(parse_safetensors(std::span(whole).first(n), "x"), Error);
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    Buffer bytes = whole;
    for (int k = 0; k <= i % 4; ++k) bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
    try {
      parse_safetensors(bytes, "x");
    } catch (const Error&) {}
  }
}

TEST_CASE("safetensors: files made by others are read", "[io][shared]") {
  FOVEA_NEEDS_SHARED(folder, "pretrained");
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".safetensors" || entry.file_size() > 200'000'000) continue;
    INFO(entry.path());
    CHECK(!read_safetensors(entry.path()).tensors.empty());
    ++files;
  }
  CHECK(files > 0);
}
