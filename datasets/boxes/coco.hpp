// COCO's JSON of boxes: https://cocodataset.org/#format-data and #format-results.
#pragma once

#include "datasets/boxes/annotations.hpp"
#include "modules/core/json.hpp"

namespace fovea {

// {"images": [{"id", "file_name", "width", "height"}], "categories": [{"id", "name"}], "annotations": [{"image_id", "category_id", "bbox":
// [x, y, width, height], "area", "iscrowd"}]}. Classes are in the order of `categories`. iscrowd makes an annotation ignored. Pictures lie
// beside the file, or in `images` beside it, or where file_name says. Error for what is no such file.
BoxData read_coco(const std::filesystem::path& file, const std::vector<std::string>& classes = {});
BoxData coco_from(const JsonValue& json, const std::filesystem::path& file, const std::vector<std::string>& classes = {});
// `ignored` annotations get iscrowd 1. File names are relative to `file` where the pictures lie below its folder.
void write_coco(const std::filesystem::path& file, const BoxData& data);

// What a network found in each of data.images, in their order: [{"image_id", "category_id", "bbox", "score"}]. Error for unknown images and
// categories, and for numbers that are not finite.
std::vector<Detections> read_coco_results(const std::filesystem::path& file, const BoxData& data);
void write_coco_results(const std::filesystem::path& file, const BoxData& data, const std::vector<Detections>& detections);

}  // namespace fovea
