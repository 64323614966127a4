// Where a data set of YOLO's keeps its pictures, labels and names.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace fovea {

struct YoloLayout {
  struct Part {
    std::string name;
    std::vector<std::filesystem::path> places;  // folders of pictures, or .txt lists of them; they may be missing
  };
  std::vector<Part> parts;           // a folder of pictures without parts is one without a name
  std::vector<std::string> classes;  // empty where nothing says them
};

// What read_yolo takes as its source. Error where it is none, and for what a data.yaml says wrongly, with its line.
YoloLayout yolo_layout(const std::filesystem::path& source);
// Whether a folder looks like one, without reading its files.
bool is_yolo_folder(const std::filesystem::path& folder);

// .../images/a/b.jpg -> .../labels/a/b.txt, by the last folder of that name; a/b.txt where there is none.
std::filesystem::path yolo_labels_of(const std::filesystem::path& picture);

}  // namespace fovea
