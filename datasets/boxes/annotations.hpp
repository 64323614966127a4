// Pictures with the boxes of their objects, as training, measuring and converting read them, whatever format they are kept in.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "datasets/bad_file.hpp"
#include "datasets/boxes/box.hpp"

namespace fovea {

struct AnnotatedImage {
  std::filesystem::path file;  // of the picture, where it should lie; it may be missing
  std::int64_t id = 0;         // COCO's; of other formats its number, from 1
  cv::Size size;               // as the annotations say; 0 x 0 where they do not
  std::vector<Annotation> annotations;
  std::filesystem::path source = {};  // the file that says so
};

// What is wrong with an annotation or a file of them, though the rest of the data can be used.
struct AnnotationFault {
  enum class Kind : std::uint8_t {
    unreadable,     // not what the format says: no number, a polygon
    degenerate,     // a box without area or with numbers that are not finite
    outside,        // a box wholly beside its picture
    unknown_class,  // none of the classes
    no_picture      // annotations that belong to no picture
  };

  std::filesystem::path file;  // the annotations' or the picture's
  std::string reason;          // "object 3: a box without area: 12 30 12 40"
  Kind kind = Kind::unreadable;
};

struct BoxData {
  std::vector<std::string> classes;        // Annotation::label counts these
  std::vector<std::int64_t> category_ids;  // COCO's, one a class; other formats count from 1
  std::vector<AnnotatedImage> images;
  std::vector<AnnotationFault> faults = {};  // degenerate and unreadable boxes: left out of `images`
  std::vector<BadFile> bad = {};             // files that could not be read at all
};

// A part of a data set, which training and measuring keep apart.
struct BoxPart {
  std::string name;  // "train"; may be empty where there is one part only
  BoxData data;
};

enum class BoxFormat : std::uint8_t { coco, voc, yolo };
// By what `source` is, as read_boxes says. Error where it is none.
BoxFormat box_format(const std::filesystem::path& source);
// Those of the usual parts train, val, validation, valid and test that a source names, in this order. None for COCO, whose
// parts are files of their own.
std::vector<std::string> box_parts(const std::filesystem::path& source);

// Reads any of the formats: a .json file is COCO; a folder with Annotations is Pascal VOC; a folder with labels, or a data.yaml
// or .yaml file, is YOLO. `part` picks a list of a VOC folder's ImageSets or a split of a data.yaml ("train"); empty takes all
// pictures. With `classes` given labels count these, and objects of others are faults. Error where it is none of these, or
// nothing can be read.
BoxData read_boxes(const std::filesystem::path& source, const std::string& part = {},
                   const std::vector<std::string>& classes = {});

}  // namespace fovea
