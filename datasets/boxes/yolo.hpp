// The text files of YOLO, one a picture, a line an object: class, centre x, centre y, width, height, as shares of the picture.
// https://docs.ultralytics.com/datasets/detect/
#pragma once

#include "datasets/boxes/annotations.hpp"

namespace fovea {

// `source` is a data.yaml as Ultralytics has it (path, train, val, test: folders of pictures, lists of them, or several of
// these; names as a list or by number), or a folder: with a data.yaml or dataset.yaml inside it is that one; else with images/
// and labels/ inside, or with folders of parts that hold these, and the classes' names in classes.txt, a line a class. `part`
// is a key of the file ("train") or such a folder's name; empty takes all. Without any names `classes` are the names.
//
// The labels of .../images/a/b.jpg lie in .../labels/a/b.txt, beside the picture where no folder is called images; a picture
// without them has no objects. A score behind the box is passed over. Sizes are those of the picture files (picture_size).
// Faults: polygons and oriented boxes, which need more numbers, classes without a name, labels without a picture. Files of up
// to 16 MiB are read. Error where it is no such source or part, and where nothing can be read.
BoxData read_yolo(const std::filesystem::path& source, const std::string& part = {},
                  const std::vector<std::string>& classes = {});

// Makes labels/<part>/*.txt for pictures in images/<part>, and data.yaml, which names all parts and the classes. Numbers are
// written so that reading gives the same boxes to 1e-6 pixels. Ignored objects have no place in the format and are left out,
// areas of masks too. Sizes that the data lack are read from the pictures. Error where that is not possible, for two pictures
// of one name in a part, and for parts with other classes.
void write_yolo(const std::filesystem::path& folder, const std::vector<BoxPart>& parts);

// One label file, of a picture whose size is known; with the score of each object behind its box where there are scores, one an
// annotation.
std::string yolo_text(const AnnotatedImage& image, const std::vector<double>& scores = {});

// All that the source names, in its order.
std::vector<std::string> yolo_parts(const std::filesystem::path& source);

}  // namespace fovea
