#include "pipeline/tasks/retrieve/index.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "modules/core/fingerprint.hpp"
#include "modules/core/text.hpp"
#include "modules/io/files.hpp"
#include "modules/io/safetensors.hpp"
#include "modules/io/yaml.hpp"
#include "pipeline/errors.hpp"
#include "pipeline/tasks/retrieve/texts.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

constexpr const char *kVersionKey = "fovea.index", *kModelKey = "fovea.model", *kNameKey = "fovea.model.name", *kVersion = "1";
constexpr std::int64_t kColumns = 4, kMostSide = 65536;

std::string fingerprint_of(const Model& model) {
  const Yaml recipe = Yaml::parse(model.recipe(), "recipe");
  return fingerprint(model.fingerprint() + recipe.at("model").str() +
                     (recipe.has("preprocess") ? recipe.at("preprocess").str() : ""));
}

const Tensor& tensor_of(const TensorFile& file, const char* name, DType dtype, int rank) {
  const auto it = file.tensors.find(name);
  check(it != file.tensors.end(), "expected a tensor '", name, "'");
  check(it->second.dtype() == dtype && it->second.rank() == rank, name, ": expected ", name_of(dtype), " of rank ", rank,
        ", got ", name_of(it->second.dtype()), " ", it->second.shape());
  return it->second;
}

std::string metadata_of(const TensorFileHeader& header, const char* key) {
  const auto it = header.metadata.find(key);
  return it == header.metadata.end() ? "" : it->second;
}

std::vector<std::string> names_in(const Tensor& names) {
  const auto* bytes = static_cast<const char*>(names.raw());
  const char* const end = bytes + names.size();
  std::vector<std::string> all;
  while (bytes != end) {
    const auto* zero = static_cast<const char*>(std::memchr(bytes, 0, static_cast<std::size_t>(end - bytes)));
    check(zero != nullptr && zero != bytes, "names: expected paths that end with a byte 0");
    all.emplace_back(bytes, zero);
    check(all.size() < 2 || all[all.size() - 2] < all.back(), "names: expected paths in order, each once");
    bytes = zero + 1;
  }
  return all;
}

SearchIndex::Entries entries_in(const TensorFile& file, std::int64_t width) {
  const Tensor &names = tensor_of(file, "names", DType::u8, 1), &files = tensor_of(file, "files", DType::s64, 2),
               &values = tensor_of(file, "values", DType::f16, 1);
  const std::vector<std::string> all = names_in(names);
  check(files.shape() == Shape{static_cast<std::int64_t>(all.size()), kColumns}, "files: expected ", all.size(), " x ", kColumns,
        " numbers, got ", files.shape());
  SearchIndex::Entries entries;
  std::int64_t at = 0;
  const std::int64_t* row = files.data<std::int64_t>();
  for (std::size_t i = 0; i < all.size(); ++i, row += kColumns) {
    const std::int64_t height = row[2], columns = row[3];
    const bool fits = height >= 1 && height <= kMostSide && columns >= 1 && columns <= kMostSide;
    check(fits && height * columns <= (values.size() - at) / width, "files: a map of ", height, " x ", columns,
          " does not fit the values");
    const std::int64_t end = at + width * height * columns;
    entries[all[i]] = {{row[0], row[1]}, values.slice(0, at, end).reshape({width, height, columns}).clone()};
    at = end;
  }
  check(at == values.size(), "values: expected ", at, " numbers, got ", values.size());
  constexpr std::uint16_t kExponent = 0x7c00;  // all ones: infinite, or not a number
  const auto* bits = static_cast<const std::uint16_t*>(values.raw());
  check(std::none_of(bits, bits + values.size(), [](std::uint16_t b) { return (b & kExponent) == kExponent; }),
        "values: a number is not finite");
  return entries;
}

}  // namespace

SearchIndex::SearchIndex(const Model& model)
    : model_(fingerprint_of(model)), name_(printable(model.name())), width_(retrieve_head(model).options().width) {}

void SearchIndex::read(const fs::path& file) {
  const std::string where = printable(file.string());
  if (!fs::is_regular_file(file)) throw UsageError(where + ": an index is a file; name another one with --index");
  const std::vector<std::uint8_t> bytes = read_file(file);
  TensorFileHeader header;
  try {
    header = parse_safetensors_header(bytes, where);
  } catch (const Error& e) { fail("damaged, or no index: ", e.what(), "; --rebuild makes it anew"); }
  const std::string version = metadata_of(header, kVersionKey);
  check(!version.empty(), where, ": it is no index of pictures (no ", kVersionKey,
        " in its metadata); name another file with --index");
  if (version != kVersion)
    throw UsageError(where + ": an index of version " + printable(version) + "; this program reads version " + kVersion +
                     ": --rebuild makes it anew");
  if (metadata_of(header, kModelKey) != model_)
    throw UsageError(where + ": this index was made with another model ('" + printable(metadata_of(header, kNameKey)) +
                     "'); search with that one, keep an index of this one beside it (--index FILE), or make it anew (--rebuild)");
  try {
    entries_ = entries_in(parse_safetensors(bytes, where), width_);
  } catch (const FileError&) { throw; } catch (const Error& e) {
    fail(where, ": the index is damaged: ", e.what(), "; --rebuild makes it anew");
  }
}

void SearchIndex::write(const fs::path& file) const {
  std::vector<std::uint8_t> names;
  std::vector<std::int64_t> files;
  std::int64_t total = 0;
  for (const auto& [name, entry] : entries_) {
    names.insert(names.end(), name.begin(), name.end());
    names.push_back(0);
    files.insert(files.end(), {entry.stamp.size, entry.stamp.changed, entry.values.dim(1), entry.values.dim(2)});
    total += entry.values.size();
  }
  TensorFile content;
  Tensor values = Tensor::empty({total}, DType::f16);
  std::int64_t at = 0;
  for (const auto& [name, entry] : entries_) {
    values.slice(0, at, at + entry.values.size()).copy_from(entry.values.reshape({entry.values.size()}));
    at += entry.values.size();
  }
  Tensor bytes = Tensor::empty({static_cast<std::int64_t>(names.size())}, DType::u8);
  if (!names.empty()) std::memcpy(bytes.raw(), names.data(), names.size());
  content.tensors["names"] = bytes;
  content.tensors["files"] = Tensor::from(files, {static_cast<std::int64_t>(entries_.size()), kColumns});
  content.tensors["values"] = values;
  content.metadata = {{kVersionKey, kVersion}, {kModelKey, model_}, {kNameKey, name_}};
  write_safetensors(file, content);
}

bool SearchIndex::may_replace(const fs::path& file) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return true;
  if (!fs::is_regular_file(file, ignored)) return false;
  std::ifstream in(file, std::ios::binary);
  std::string begin(4096, '\0');
  in.read(begin.data(), static_cast<std::streamsize>(begin.size()));
  begin.resize(static_cast<std::size_t>(in.gcount()));
  return begin.empty() || begin.find(kVersionKey) != std::string::npos;
}

SearchIndex::Stamp SearchIndex::stamp_of(const fs::path& file) {
  struct stat facts {};
  if (::stat(file.c_str(), &facts) != 0) throw FileError(file.string() + ": " + std::strerror(errno), errno);
  return {facts.st_size, std::int64_t{facts.st_mtim.tv_sec} * 1'000'000'000 + facts.st_mtim.tv_nsec};
}

}  // namespace fovea
