// What stands in an explained image's JSON, read back for reports and means; and files of boxes, for the pointing game.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "modules/explain/faithfulness.hpp"

namespace fovea {

struct ExplainedMap {
  std::string name, overlay;                              // the overlay's file, beside the JSON
  std::optional<std::pair<double, double>> faithfulness;  // areas: insertion, deletion
  std::optional<explain::Place> peak;                     // none where the map has no value
};

struct ExplainedFacts {
  std::string method, target;                             // target: the explained class; empty where there is none
  std::vector<std::pair<std::string, double>> predicted;  // classes and their probabilities or shares
  double width = 0, height = 0;                           // of the image
  std::vector<ExplainedMap> maps;
  std::vector<std::string> pictures;  // of channels, beside the JSON
};

// Error with the file's name.
ExplainedFacts read_explained(const std::filesystem::path& file);

// {"images": {"a.jpg": [{"box": [x0, y0, x1, y1], "class": "cat", "strong": true}, ...]}, "image_size": [width, height]}: in pixels of the
// image, or of `image_size` where it is given, for all images. What is not strong is left out.
class Boxes {
 public:
  Boxes() = default;
  // Error with the file's name and the key.
  explicit Boxes(const std::filesystem::path& file);
  // Of one image, in its own pixels: those of the class where the file has it, else all.
  std::vector<explain::Box> of(const std::string& image, const std::string& target, double width, double height) const;

 private:
  std::map<std::string, std::vector<std::pair<std::string, explain::Box>>> images_;
  std::optional<std::pair<double, double>> size_;
};

}  // namespace fovea
