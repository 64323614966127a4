// Pictures and volumes with regions marked in them: which files belong together, and which part of them a training may see. A volume (NIfTI, DICOM of several
// frames) has masks that are volumes of its size.
//
//   data: DIR                                   images/, and masks/<class>/ or objects/<class>/ with files of the same names; of one class the files
//                                               may lie right in masks/, objects/ or labels/
//   data: {images: "eyes/Image_*.jpg", masks: {vessel: "eyes/{name}_1stHO.png"}, objects: {}}
//                                               patterns of files (core/glob.hpp); {name}: the picture's file name without its extension
// A mask is the class where it is not 0. A file of objects numbers them: every value but 0 is one. Where a picture has no file for a class, the class is absent
// from it; a picture without a file of any class is not used.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "datasets/bad_file.hpp"
#include "modules/io/yaml.hpp"

namespace fovea {

struct RegionFiles {
  std::filesystem::path picture;
  std::vector<std::filesystem::path> masks;  // one a class; empty: absent
  std::vector<bool> objects;                 // whether that file numbers objects
};

struct RegionList {
  std::vector<RegionFiles> files;  // in the order of their names
  std::vector<BadFile> bad;
};

// `data` as above, or the path of a folder. Error for a layout that is none, and for one without pictures.
RegionList list_regions(const Yaml& data, const std::vector<std::string>& classes, const std::filesystem::path& root);
RegionList list_regions(const std::filesystem::path& folder, const std::vector<std::string>& classes);

// Which pictures belong to a part.
//   {names: ["Image_09*", "Image_10*"]}      file names without extension
//   {every: 5, from: 0}                      number `from`, `from + 5`, ... in the order of names
//   {fold: 2}                                those that the table `folds` (columns name, fold) gives this number
class PartRule {
 public:
  PartRule() = default;  // nothing
  // `folds`: empty where there is no table. Error for keys and values that make no sense.
  PartRule(const Yaml& y, const std::filesystem::path& folds);
  // One answer a picture. Error where the table does not name a picture.
  std::vector<bool> takes(const std::vector<RegionFiles>& files) const;

 private:
  std::vector<std::string> names_;
  int every_ = 0, from_ = 0;
  int fold_ = -1;
  std::filesystem::path folds_;
};

// The table that `train:` names, below `root`, else beside the recipe; empty where it names none.
std::filesystem::path folds_file(const Yaml& train, const std::filesystem::path& root);

// The three parts of a recipe's `train:`. `test` (what a model is measured on in the end) is taken out first, then `validate` (what chooses the checkpoint and
// thresholds) of what is left; the rest is trained on.
struct RegionParts {
  std::vector<RegionFiles> train, validate, test;
  std::vector<BadFile> bad;
};
RegionParts region_parts(const Yaml& train, const std::vector<std::string>& classes, const std::filesystem::path& root);

}  // namespace fovea
