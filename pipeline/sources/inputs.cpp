#include "pipeline/sources/inputs.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <iterator>
#include <system_error>

#include "datasets/video/address.hpp"
#include "modules/core/error.hpp"
#include "modules/io/files.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

std::vector<std::string> read_list(std::istream& in) {
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const char separator = text.find('\0') != std::string::npos ? '\0' : '\n';
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(separator, at), text.size());
    std::string line = text.substr(at, end - at);
    if (separator == '\n' && line.ends_with('\r')) line.pop_back();
    if (!line.empty()) lines.push_back(std::move(line));
    at = end + 1;
  }
  return lines;
}

// The folders that a listed path keeps: its own when it is relative and stays below here, else none.
fs::path listed_folder(const fs::path& path) {
  if (path.is_absolute()) return {};
  const fs::path normal = path.lexically_normal();
  return normal.begin() != normal.end() && *normal.begin() == ".." ? fs::path() : normal;
}

// "a/b/**/*.png" -> "a/b" and {"**", "*.png"}
std::pair<fs::path, Components> split_pattern(const fs::path& pattern) {
  fs::path fixed;
  Components rest;
  for (const fs::path& part : pattern) {
    const std::string text = part.string();
    if (rest.empty() && !has_wildcards(text)) {
      fixed /= part;
    } else if (!text.empty() && !(text == "**" && !rest.empty() && rest.back() == "**")) {
      rest.push_back(text);
    }
  }
  return {fixed, rest};
}

Components components_of(const fs::path& path) {
  Components parts;
  for (const fs::path& part : path)
    if (!part.empty() && part != "." && part != "/") parts.push_back(part.string());
  return parts;
}

Walk::Filter filter_of(const Components& pattern, bool videos, bool scans) {
  Walk::Filter filter{.videos = videos, .scans = scans};
  if (pattern.empty()) return filter;
  filter.enters = [pattern](const fs::path& folder) { return path_may_lead_to_match(pattern, components_of(folder)); };
  filter.takes = [pattern](const fs::path& file) { return path_matches(pattern, components_of(file)); };
  return filter;
}

// "rtsp://user:***@camera:554/1?a=b" -> "rtsp-camera-554-1-a-b": a name for outputs, without user and password.
fs::path name_of_address(const std::string& masked) {
  const std::size_t host = masked.find("://"), rest = host + 3, path = masked.find('/', rest), at = masked.rfind('@', path);
  const std::string shown = masked.substr(0, host) + "-" + masked.substr(at == std::string::npos || at < rest ? rest : at + 1);
  std::string name;
  for (const char c : shown) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_';
    if (plain || (!name.empty() && name.back() != '-')) name += plain ? c : '-';
  }
  while (name.ends_with('-') || name.ends_with('.')) name.pop_back();
  return name;
}

}  // namespace

Inputs::Inputs(const std::vector<std::string>& arguments, const fs::path& output, std::istream* list, bool streams, bool scans)
    : output_(output), streams_(streams), scans_(scans) {
  for (const std::string& argument : arguments) {
    if (argument != "-") {
      arguments_.push_back({argument, false});
      continue;
    }
    check(list != nullptr, "inputs: '-' is given twice, or there is no list to read");
    for (std::string& line : read_list(*list)) arguments_.push_back({std::move(line), true});
    list = nullptr;
  }
}

void Inputs::rewind() {
  at_ = 0;
  walk_.reset();
  pending_.clear();
}

std::optional<Input> Inputs::start(const Argument& argument) {
  if (streams_ && is_address(argument.text)) {
    const std::string masked = masked_address(argument.text);
    Input input{masked, masked, name_of_address(masked), {}, {}, {}};
    input.stream = true, input.address = argument.text;
    return input;
  }
  const fs::path path = argument.text;
  const fs::path kept = argument.listed ? listed_folder(path) : fs::path();
  struct stat info {};
  const int error = try_again([&] { return ::stat(path.c_str(), &info) == 0 ? 0 : errno; });
  const bool there = error == 0;
  if (there && S_ISDIR(info.st_mode)) {
    pending_.push_back({path, kept, argument.text, {}});
    return std::nullopt;
  }
  // A file that exists under that very name is meant, whatever characters the name has.
  if (!there && (error == ENOENT || error == ENAMETOOLONG) && has_wildcards(argument.text)) {
    const auto [folder, rest] = split_pattern(argument.text);
    try {
      path_matches(rest, {});
    } catch (const Error& e) { return Input{argument.text, path, {}, e.what(), {}, {}}; }
    pending_.push_back({folder.empty() ? "." : folder, {}, folder.string(), rest});
    return std::nullopt;
  }
  Input input{argument.text, path, kept.empty() ? path.filename() : kept, {}, {}, {}};
  if (!there) input.problem = error == ENOENT ? "no such file or folder" : std::generic_category().message(error);
  if (passes(error)) input.fault = Fault::passing;
  input.stream = streams_ && is_video_like(path);
  return input;
}

std::optional<Input> Inputs::walk_on() {
  while (walk_ || !pending_.empty()) {
    if (!walk_) {
      root_ = pending_.back();
      pending_.pop_back();
      // Asked each time: the output folder may appear between two walks.
      const auto output = file_id(output_);
      check(!output || !root_.pattern.empty() || file_id(root_.folder) != output, "the output folder is the input folder ",
            root_.shown, ": choose another one (a folder inside it is fine)");
      walk_.emplace(root_.folder, filter_of(root_.pattern, streams_, scans_), output);
    }
    if (auto entry = walk_->next()) {
      const fs::path shown = entry->relative == "." ? fs::path(root_.shown) : fs::path(root_.shown) / entry->relative;
      if (!entry->problem.empty())
        return Input{shown.string(), root_.folder / entry->relative, {}, entry->problem, {}, {}, entry->fault};
      Input input{shown.string(), root_.folder / entry->relative, root_.prefix / entry->relative, {}, {}, {}};
      input.stream = is_video_like(input.file);
      return input;
    }
    walk_.reset();
  }
  return std::nullopt;
}

std::optional<Input> Inputs::next() {
  while (true) {
    if (auto input = walk_on()) return input;
    if (at_ == arguments_.size()) return std::nullopt;
    if (auto input = start(arguments_[at_++])) return input;
  }
}

}  // namespace fovea
