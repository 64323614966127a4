// What the readers of captions share: captions by picture, in the order in which these come, and what is left out on the way.
#pragma once

#include <optional>
#include <unordered_map>

#include "datasets/captions/captioned.hpp"

namespace fovea {

class CollectedCaptions {
 public:
  explicit CollectedCaptions(std::filesystem::path source) : source_(std::move(source)) {}

  // A picture by the name that the source gives it; it may come again. Error for a name that no file can have.
  void picture(const std::string& name);
  // Error for a caption without words or that is not UTF-8.
  void caption(const std::string& name, const std::string& text);
  // Error where the picture is of another part already.
  void split(const std::string& name, const std::string& split);
  // A line or an entry that says nothing: "captions.txt:7: ...". Error from the 1001st on.
  void leave_out(const std::string& reason);

  // What can be used. Error where that is nothing, or no picture is of the part.
  CaptionedData usable(const CaptionedOptions& options) const;

 private:
  struct Picture {
    std::string name;
    std::vector<std::string> captions = {};
    std::string split = {};
  };
  Picture& at(const std::string& name);
  void check_split(const std::string& split) const;

  std::filesystem::path source_;
  std::vector<Picture> pictures_;
  std::unordered_map<std::string, std::size_t> places_;
  std::vector<BadFile> left_out_;
};

// By the content of each kind of file; `where` opens messages.
void read_caption_lines(std::string_view text, const std::string& where, CollectedCaptions& into);
void read_split_list(std::string_view text, const std::string& where, const std::string& split, CollectedCaptions& into);
void read_captions_json(std::string_view text, const std::string& where, CollectedCaptions& into);

}  // namespace fovea
