// COCO's JSON of boxes: https://cocodataset.org/#format-data and #format-results.
#pragma once

#include "datasets/boxes/annotations.hpp"
#include "modules/core/json.hpp"

namespace fovea {

enum class CocoUse : std::uint8_t {
  training,  // a box without area or beside its picture is a fault and left out
  measuring  // as pycocotools takes it: such a box is an object that nothing overlaps; pictures and categories need no names
};

// {"images": [{"id", "file_name", "width", "height"}], "categories": [{"id", "name"}], "annotations": [{"image_id",
// "category_id", "bbox": [x, y, width, height], "area", "iscrowd"}]}; other keys are skipped, and "width", "height", "area" and
// "iscrowd" may be missing. Classes are in the order of `categories`. With `classes` given the annotations of other categories
// are left out, which is one fault a category, and classes that are no category get ids that no category has. iscrowd makes an
// annotation ignored; "ignore" says nothing, as in pycocotools. Pictures lie beside the file, or in `images` beside it, or
// where file_name says. Up to 512 MiB and 20,000 categories. Error that names file and key for what is no such file: an id that
// is there twice or nowhere, text for a number, a negative area, a box that is not finite.
BoxData read_coco(const std::filesystem::path& file, const std::vector<std::string>& classes = {},
                  CocoUse use = CocoUse::training);
BoxData coco_from(const JsonValue& json, const std::filesystem::path& file, const std::vector<std::string>& classes = {},
                  CocoUse use = CocoUse::training);
// `ignored` annotations get iscrowd 1, those without an area their box's. File names are relative to `file` where the pictures
// lie below its folder, else absolute. Numbers are read again as they were, but for the last digit of boxes that begin outside
// of the picture. Error for an image id that is there twice and for names that are not UTF-8.
void write_coco(const std::filesystem::path& file, const BoxData& data);
std::string coco_text(const BoxData& data, const std::filesystem::path& folder);  // of a file in `folder`

// What a network found in each of data.images, in their order: [{"image_id", "category_id", "bbox", "score"}]. Error for
// unknown images and categories, and for numbers that are not finite. Boxes without area are kept: they are found, and wrong.
std::vector<Detections> read_coco_results(const std::filesystem::path& file, const BoxData& data);
void write_coco_results(const std::filesystem::path& file, const BoxData& data, const std::vector<Detections>& detections);
std::string coco_results_text(const BoxData& data, const std::vector<Detections>& detections);

}  // namespace fovea
