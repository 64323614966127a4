#include "pipeline/sources/work_list.hpp"

#include <algorithm>
#include <cctype>
#include <functional>
#include <iterator>
#include <map>
#include <system_error>

#include "modules/core/error.hpp"
#include "pipeline/output_names.hpp"

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

void call_by_alias(Input& input, Aliases& aliases) {
  input.alias = aliases.of(input);
  input.problem = with_alias(input.problem, input.files(), input.alias);
  input.source = input.alias;
  if (!input.relative.empty()) input.relative = input.alias;
}

}  // namespace

std::string format_of(const fs::path& output) {
  const std::string format = known_format(extension_of(output));
  return format.empty() ? "png" : format;
}

fs::path output_name(const fs::path& whole, const std::string& format, const std::string& part) {
  const std::string own = known_format(extension_of(whole));
  if (format.starts_with('+')) return fitting(whole.string() + (part.empty() ? "" : "." + part) + "." + format.substr(1));
  fs::path relative = whole;
  if (!part.empty()) {
    const std::string extension = own.empty() ? std::string() : whole.extension().string();
    relative = (own.empty() ? whole : fs::path(whole).replace_extension()).string() + "." + part + extension;
  }
  if (own.empty()) return fitting(relative.string() + "." + (format == "same" ? "png" : format));
  if (format == "same" || own == format) return fitting(relative);
  return fitting(relative.replace_extension(format));
}

WorkList::WorkList(Inputs inputs, fs::path output, std::string format, InputMapping mapping)
    : inputs_(std::move(inputs)), output_(std::move(output)), format_(std::move(format)), mapping_(std::move(mapping)) {
  if (mapping_.group) collect_groups();
  scan();
  rewind();
}

void WorkList::rewind() {
  inputs_.rewind();
  at_group_ = 0;
  parts_.clear();
  passed_.clear();
}

void WorkList::collect_groups() {
  std::map<std::string, std::size_t> places;
  while (auto input = inputs_.next()) {
    if (!input->problem.empty()) {
      groups_.push_back(std::move(*input));
      continue;
    }
    const std::string name = mapping_.group(*input);
    const auto [place, fresh] = places.emplace(name, groups_.size());
    if (fresh) {
      groups_.push_back(std::move(*input));
      continue;
    }
    Input& group = groups_[place->second];
    if (group.members.empty()) group = {name, group.file, name, {}, {}, {group.file}};
    group.members.push_back(input->file);
  }
}

std::optional<Input> WorkList::next_input() {
  if (!parts_.empty()) {
    Input part = std::move(parts_.front());
    parts_.pop_front();
    return part;
  }
  if (mapping_.group) return at_group_ < groups_.size() ? std::optional(groups_[at_group_++]) : std::nullopt;
  auto input = inputs_.next();
  if (!input || !mapping_.parts || !input->problem.empty()) return input;
  try {
    const auto parts = mapping_.parts(*input);
    parts_.assign(parts.begin(), parts.end());
  } catch (const Error& e) {
    input->problem = e.what();
    if (is_passing(e)) input->fault = Fault::passing;
  }
  return parts_.empty() ? input : next_input();
}

std::optional<WorkItem> WorkList::read() {
  auto input = next_input();
  if (!input) return std::nullopt;
  if (mapping_.aliases) call_by_alias(*input, *mapping_.aliases);
  WorkItem planned;
  if (!input->relative.empty()) {
    planned.relative = output_name(input->relative, format_, input->part);
    planned.output = output_ / planned.relative;
  }
  planned.input = std::move(*input);
  return planned;
}

void WorkList::scan() {
  std::vector<std::uint64_t> files, outputs;
  while (auto planned = read()) {
    if (planned->input.fault == Fault::skipped) {
      if (skipped_++ == 0) first_skipped_ = planned->input.source;
      continue;
    }
    ++count_;
    if (planned->relative.empty()) continue;
    check(!same_file(planned->input.file, planned->output), "the output would replace the input ", planned->input.source,
          ": choose another output folder");
    for (const fs::path& file : planned->input.files()) files.push_back(hash_of(file));
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

void WorkList::refuse_conflicts(const std::vector<std::uint64_t>& shared, const std::vector<std::uint64_t>& replaced) {
  std::map<fs::path, Input> by_output;
  std::map<fs::path, std::string> victims;  // inputs with the hash of an output
  rewind();
  while (auto planned = read()) {
    if (planned->relative.empty()) continue;
    for (const fs::path& file : planned->input.files())
      if (std::binary_search(replaced.begin(), replaced.end(), hash_of(file)))
        victims.emplace(fs::absolute(file).lexically_normal(), planned->input.source);
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
  rewind();
  while (auto planned = read()) {
    const auto victim = victims.find(fs::absolute(planned->output).lexically_normal());
    check(planned->relative.empty() || victim == victims.end(), "the output of ", planned->input.source,
          " would replace the input ", victim == victims.end() ? "" : victim->second, ": choose another output folder");
  }
}

std::optional<WorkItem> WorkList::next() {
  while (auto planned = read()) {
    const std::string name = planned->output.lexically_normal().string();
    if (given_twice_.contains(name) && !passed_.insert(name).second) continue;
    return planned;
  }
  return std::nullopt;
}

}  // namespace fovea
