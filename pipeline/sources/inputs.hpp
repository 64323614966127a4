// The inputs of a run, one at a time and in a fixed order: files, folders, patterns, and lists of paths.
#pragma once

#include <filesystem>
#include <istream>
#include <optional>
#include <string>
#include <vector>

#include "datasets/walk.hpp"
#include "pipeline/sources/glob.hpp"

namespace fovea {

struct Input {
  std::string source;          // as people know it: the path as it was given
  std::filesystem::path file;  // what to open
  std::filesystem::path
      relative;  // where it stands in the mirrored tree; empty for a folder that could not be read, and for what is skipped
  std::string problem;  // why nothing can be read here; empty when there is something to try
  std::string part;     // of a file that holds several inputs: "page2", "frame17"; empty: all of it
  std::vector<std::filesystem::path>
      members;               // the files of an input that is a group of them, `file` being the first; else empty
  Fault fault = Fault::bad;  // whose the problem is
  bool stream = false;       // a video: pictures one after another
  std::string address = {};  // of a stream that is no file, with its passwords; `source` and `file` are without them
  std::string alias = {};  // what it is called where its name must not be told (alias.hpp): `source` and `relative` are then this

  // Everything that is read for this input.
  std::vector<std::filesystem::path> files() const {
    return members.empty() ? std::vector<std::filesystem::path>{file} : members;
  }
};

// Names are bytes: any encoding works. A folder's tree is mirrored; a file stands at the top; what a pattern matches is mirrored
// below the pattern's fixed part ("photos/**/*.png" below photos/). Folders and patterns pick up
// image extensions only, and those of videos where `streams` says so; those of formats that are not read come as skipped.
class Inputs {
 public:
  // "-" among the arguments reads `list`: a path a line (or NUL-separated, from find -print0). A relative path in a list keeps
  // its folders in the mirrored tree. `output` is never walked into. `streams`: videos are inputs, and addresses ("rtsp://camera/1"). `scans`:
  // folders are searched for those, too.
  Inputs(const std::vector<std::string>& arguments, const std::filesystem::path& output, std::istream* list = nullptr,
         bool streams = false, bool scans = false);

  std::optional<Input> next();
  void rewind();

 private:
  struct Argument {
    std::string text;
    bool listed = false;
  };
  // A walk and where its files stand.
  struct Root {
    std::filesystem::path folder, prefix;
    std::string shown;
    Components pattern;
  };

  std::optional<Input> start(const Argument& argument);
  std::optional<Input> walk_on();

  std::vector<Argument> arguments_;
  std::filesystem::path output_;
  bool streams_ = false, scans_ = false;
  std::size_t at_ = 0;
  std::vector<Root> pending_;  // walks still to do for the current argument, last one first
  Root root_;
  std::optional<Walk> walk_;
};

}  // namespace fovea
