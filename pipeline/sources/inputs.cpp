#include "pipeline/sources/inputs.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <system_error>

#include "modules/core/error.hpp"

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

}  // namespace

Inputs::Inputs(const std::vector<std::string>& arguments, const fs::path& output, std::istream* list) : output_(output) {
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
  const fs::path path = argument.text;
  const fs::path kept = argument.listed ? listed_folder(path) : fs::path();
  struct stat info {};
  const bool there = ::stat(path.c_str(), &info) == 0;
  const int error = errno;
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
      walk_.emplace(root_.folder, root_.pattern, output);
    }
    if (auto entry = walk_->next()) {
      const fs::path shown = entry->relative == "." ? fs::path(root_.shown) : fs::path(root_.shown) / entry->relative;
      if (!entry->problem.empty()) return Input{shown.string(), root_.folder / entry->relative, {}, entry->problem, {}, {}};
      return Input{shown.string(), root_.folder / entry->relative, root_.prefix / entry->relative, {}, {}, {}};
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
