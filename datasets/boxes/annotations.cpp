#include "datasets/boxes/annotations.hpp"

#include <algorithm>
#include <cctype>

#include "datasets/boxes/coco.hpp"
#include "datasets/boxes/voc.hpp"
#include "datasets/boxes/yolo.hpp"
#include "datasets/boxes/yolo_layout.hpp"
#include "modules/core/error.hpp"

namespace fovea {
namespace fs = std::filesystem;

BoxFormat box_format(const fs::path& source) {
  std::error_code ignored;
  std::string extension = source.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(), [](unsigned char c) { return std::tolower(c); });
  if (fs::is_directory(source, ignored)) {
    if (fs::is_directory(source / "Annotations", ignored)) return BoxFormat::voc;
    if (is_yolo_folder(source)) return BoxFormat::yolo;
  } else if (fs::exists(source, ignored)) {
    if (extension == ".json") return BoxFormat::coco;
    if (extension == ".yaml" || extension == ".yml") return BoxFormat::yolo;
  } else {
    fail(source.string(), ": there is no such file or folder");
  }
  fail(source.string(),
       ": expected boxes of COCO (a .json file), of Pascal VOC (a folder with Annotations) or of YOLO (a data.yaml, or a "
       "folder with labels)");
}

std::vector<std::string> box_parts(const fs::path& source) {
  std::vector<std::string> known, parts;
  switch (box_format(source)) {
    case BoxFormat::coco: return {};
    case BoxFormat::voc: known = voc_parts(source); break;
    case BoxFormat::yolo: known = yolo_parts(source); break;
  }
  for (const char* usual : {"train", "val", "validation", "valid", "test"})
    if (std::find(known.begin(), known.end(), usual) != known.end()) parts.emplace_back(usual);
  return parts;
}

BoxData read_boxes(const fs::path& source, const std::string& part, const std::vector<std::string>& classes) {
  switch (box_format(source)) {
    case BoxFormat::coco:
      check(part.empty(), source.string(), ": a COCO file has no parts: expected the file of '", part, "' itself");
      return read_coco(source, classes);
    case BoxFormat::voc: return read_voc(source, part, classes);
    case BoxFormat::yolo: return read_yolo(source, part, classes);
  }
  fail(source.string(), ": boxes of an unknown format");
}

}  // namespace fovea
