#include "pipeline/sources/plan.hpp"

#include <algorithm>
#include <cctype>
#include <functional>
#include <iterator>
#include <map>
#include <system_error>

#include "modules/core/error.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

// Conflicts are looked for with 8 bytes a file; only what has equal hashes is compared by name.
std::uint64_t hash_of(const fs::path& path) { return std::hash<std::string>{}(fs::absolute(path).lexically_normal().string()); }

std::string extension_of(const fs::path& file) {
  std::string text = file.extension().string();
  if (!text.empty()) text.erase(0, 1);
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// Format by lower-case extension; empty when the extension is not an image's.
std::string known_format(const std::string& extension) {
  static const std::map<std::string, std::string> formats{{"png", "png"},  {"jpg", "jpg"},  {"jpeg", "jpg"}, {"jpe", "jpg"},
                                                          {"jfif", "jpg"}, {"tif", "tif"},  {"tiff", "tif"}, {"bmp", "bmp"},
                                                          {"dib", "bmp"},  {"webp", "webp"}};
  const auto found = formats.find(extension);
  return found == formats.end() ? std::string() : found->second;
}

bool same_file(const fs::path& a, const fs::path& b) {
  const auto id = file_id(a);
  return id && id == file_id(b);
}

std::vector<std::uint64_t> repeated(const std::vector<std::uint64_t>& sorted) {
  std::vector<std::uint64_t> twice;
  for (std::size_t i = 1; i < sorted.size(); ++i)
    if (sorted[i] == sorted[i - 1] && (twice.empty() || twice.back() != sorted[i])) twice.push_back(sorted[i]);
  return twice;
}

}  // namespace

std::string format_of(const fs::path& output) {
  const std::string format = known_format(extension_of(output));
  return format.empty() ? "png" : format;
}

fs::path output_name(const fs::path& relative, const std::string& format) {
  if (format.starts_with('+')) return relative.string() + '.' + format.substr(1);
  const std::string own = known_format(extension_of(relative));
  if (format == "same") return own.empty() ? fs::path(relative.string() + ".png") : relative;
  if (own == format) return relative;
  fs::path name = relative;
  return own.empty() ? fs::path(relative.string() + "." + format) : name.replace_extension(format);
}

Plan::Plan(Inputs inputs, fs::path output, std::string format)
    : inputs_(std::move(inputs)), output_(std::move(output)), format_(std::move(format)) {
  scan();
  rewind();
}

void Plan::rewind() {
  inputs_.rewind();
  passed_.clear();
}

std::optional<Planned> Plan::read() {
  auto input = inputs_.next();
  if (!input) return std::nullopt;
  Planned planned;
  if (!input->relative.empty()) {
    planned.relative = output_name(input->relative, format_);
    planned.output = output_ / planned.relative;
  }
  planned.input = std::move(*input);
  return planned;
}

void Plan::scan() {
  std::vector<std::uint64_t> files, outputs;
  while (auto planned = read()) {
    ++count_;
    if (planned->relative.empty()) continue;
    check(!same_file(planned->input.file, planned->output), "the output would replace the input ", planned->input.source,
          ": choose another output folder");
    files.push_back(hash_of(planned->input.file));
    outputs.push_back(hash_of(planned->output));
    folders_.insert(planned->output.parent_path());
  }
  std::sort(files.begin(), files.end());
  std::sort(outputs.begin(), outputs.end());
  std::vector<std::uint64_t> replaced;
  std::set_intersection(files.begin(), files.end(), outputs.begin(), outputs.end(), std::back_inserter(replaced));
  const std::vector<std::uint64_t> shared = repeated(outputs);
  if (!shared.empty() || !replaced.empty()) refuse_conflicts(shared, replaced);
}

void Plan::refuse_conflicts(const std::vector<std::uint64_t>& shared, const std::vector<std::uint64_t>& replaced) {
  std::map<fs::path, Input> by_output;
  std::map<fs::path, std::string> victims;  // inputs with the hash of an output
  inputs_.rewind();
  while (auto planned = read()) {
    if (planned->relative.empty()) continue;
    if (std::binary_search(replaced.begin(), replaced.end(), hash_of(planned->input.file)))
      victims.emplace(fs::absolute(planned->input.file).lexically_normal(), planned->input.source);
    if (!std::binary_search(shared.begin(), shared.end(), hash_of(planned->output))) continue;
    const auto [first, fresh] = by_output.emplace(planned->output.lexically_normal(), planned->input);
    if (fresh) continue;
    const Input& other = first->second;
    const bool same =
        same_file(other.file, planned->input.file) || other.file.lexically_normal() == planned->input.file.lexically_normal();
    check(same, "two inputs would become one output, ", planned->output.string(), ": ", other.source, " and ",
          planned->input.source);
    given_twice_.insert(planned->output.lexically_normal().string());
    --count_;
  }
  inputs_.rewind();
  while (auto planned = read()) {
    const auto victim = victims.find(fs::absolute(planned->output).lexically_normal());
    check(planned->relative.empty() || victim == victims.end(), "the output of ", planned->input.source,
          " would replace the input ", victim == victims.end() ? "" : victim->second, ": choose another output folder");
  }
}

std::optional<Planned> Plan::next() {
  while (auto planned = read()) {
    const std::string name = planned->output.lexically_normal().string();
    if (given_twice_.contains(name) && !passed_.insert(name).second) continue;
    return planned;
  }
  return std::nullopt;
}

}  // namespace fovea
