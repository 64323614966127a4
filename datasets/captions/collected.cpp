#include "datasets/captions/collected.hpp"

#include <algorithm>

#include "datasets/boxes/reading.hpp"
#include "datasets/text/words.hpp"
#include "modules/core/json.hpp"
#include "modules/core/text.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

// Where the picture lies, of the places where it may.
std::optional<fs::path> find_picture(const std::string& name, const fs::path& source, const fs::path& images) {
  std::vector<fs::path> folders{images};
  if (images.empty())
    folders = {source.parent_path() / "images", source.parent_path() / "Images", source.parent_path() / "Flicker8k_Dataset",
               source.parent_path()};
  std::error_code ignored;
  for (const fs::path& folder : folders)
    if (fs::is_regular_file(folder / name, ignored)) return folder / name;
  return std::nullopt;
}

}  // namespace

void CollectedCaptions::picture(const std::string& name) {
  check(!name.empty() && name.find('\0') == std::string::npos, "expected the name of a picture, got ", shown(name));
  if (places_.emplace(name, pictures_.size()).second) pictures_.push_back({name});
}

CollectedCaptions::Picture& CollectedCaptions::at(const std::string& name) {
  picture(name);
  return pictures_[places_.at(name)];
}

void CollectedCaptions::caption(const std::string& name, const std::string& text) {
  Picture& p = at(name);
  check(is_utf8(text), "expected a caption in UTF-8, got ", shown(text));
  check(!words_of(text).empty(), "expected a caption with words, got ", shown(text));
  p.captions.emplace_back(trimmed(text));
}

void CollectedCaptions::split(const std::string& name, const std::string& split) {
  Picture& p = at(name);
  check(p.split.empty() || p.split == split, shown(name), " is in the part '", printable(p.split), "' already");
  p.split = split;
}

void CollectedCaptions::leave_out(const std::string& reason) {
  check(left_out_.size() < kMostFaults, source_.string(), ": expected captions; more than ", +kMostFaults,
        " lines or entries say nothing, the first: ", left_out_.empty() ? reason : left_out_.front().reason);
  left_out_.push_back({source_, reason});
}

void CollectedCaptions::check_split(const std::string& split) const {
  std::vector<std::string> known;
  for (const Picture& p : pictures_)
    if (!p.split.empty() && std::find(known.begin(), known.end(), p.split) == known.end()) known.push_back(p.split);
  std::string all;
  for (const std::string& k : known) all += (all.empty() ? "" : ", ") + printable(k);
  check(std::find(known.begin(), known.end(), split) != known.end(), source_.string(), ": there is no part '", printable(split),
        "'; ", known.empty() ? "it names no parts" : "there are " + all);
}

CaptionedData CollectedCaptions::usable(const CaptionedOptions& options) const {
  if (!options.split.empty()) check_split(options.split);
  CaptionedData data{source_, {}, left_out_};
  for (const Picture& p : pictures_) {
    if (!options.split.empty() && p.split != options.split) continue;
    const auto file = find_picture(p.name, source_, options.images);
    if (file && !p.captions.empty()) data.pictures.push_back({*file, p.captions, p.split});
    else
      data.left_out.push_back({file.value_or(p.name), source_.string() + ": '" + p.name +
                                                          "': " + (file ? "it has no captions" : "there is no such picture")});
  }
  check(!data.pictures.empty(), source_.string(), ": no picture with captions can be used",
        data.left_out.empty() ? "" : "; the first reason: " + data.left_out.front().reason);
  return data;
}

}  // namespace fovea
