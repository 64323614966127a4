#include "datasets/captions/captioned.hpp"

#include <algorithm>

#include "datasets/boxes/reading.hpp"
#include "datasets/captions/collected.hpp"
#include "modules/core/error.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostBytes = std::size_t{512} << 20;

struct PartList {
  const char *file, *split;
};
constexpr PartList kLists[] = {{"train.txt", "train"},
                               {"dev.txt", "dev"},
                               {"val.txt", "val"},
                               {"test.txt", "test"},
                               {"Flickr_8k.trainImages.txt", "train"},
                               {"Flickr_8k.devImages.txt", "dev"},
                               {"Flickr_8k.testImages.txt", "test"}};

fs::path file_of(const fs::path& source) {
  std::error_code ignored;
  if (!fs::is_directory(source, ignored)) return source;
  for (const char* name : {"captions.txt", "Flickr8k.token.txt"})
    if (fs::exists(source / name, ignored)) return source / name;
  fail(source.string(), ": expected a folder with captions.txt or Flickr8k.token.txt, or a .json file of captions");
}

}  // namespace

CaptionedData read_captioned(const fs::path& source, const CaptionedOptions& options) {
  const fs::path file = file_of(source);
  CollectedCaptions all(file);
  if (file.extension() == ".json") {
    read_captions_json(read_text(file, kMostBytes), file.string(), all);
    return all.usable(options);
  }
  read_caption_lines(read_text(file, kMostBytes), file.string(), all);
  std::error_code ignored;
  for (const PartList& list : kLists)
    if (const fs::path names = file.parent_path() / list.file; names != file && fs::is_regular_file(names, ignored))
      read_split_list(read_text(names, kMostBytes), names.string(), list.split, all);
  return all.usable(options);
}

std::vector<std::string> splits_of(const CaptionedData& data) {
  std::vector<std::string> splits;
  for (const CaptionedPicture& p : data.pictures)
    if (!p.split.empty() && std::find(splits.begin(), splits.end(), p.split) == splits.end()) splits.push_back(p.split);
  return splits;
}

std::vector<std::string> captions_of(const std::vector<CaptionedPicture>& pictures) {
  std::vector<std::string> all;
  for (const CaptionedPicture& p : pictures) all.insert(all.end(), p.captions.begin(), p.captions.end());
  return all;
}

}  // namespace fovea
