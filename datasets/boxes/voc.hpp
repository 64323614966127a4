// Pascal VOC's XML of boxes, one file a picture: http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/devkit_doc.html,
// section 3.
#pragma once

#include "datasets/boxes/annotations.hpp"

namespace fovea {

struct VocOptions {
  // As in the original data sets of Pascal VOC, corners count pixels from 1 and the last pixel belongs to the box:
  // x1 = xmin - 1, x2 = xmax. Else they are the box's edges as they stand, x1 = xmin, x2 = xmax, which is what labelImg and most
  // other tools write.
  bool one_based = false;
};

// A folder with Annotations/*.xml, JPEGImages (or images) and ImageSets/Main/<part>.txt or ImageSets/<part>.txt, which names a
// part's pictures without extension, one a line, in this order; no part takes all annotations by name. Of an object its name,
// bndbox (whole or real numbers) and difficult are read, which makes it ignored; names are UTF-8, blanks around them do not
// count. The picture is the one called as the XML file, else the file's <filename>, else its <path>; <size> may be missing.
// Classes are sorted by name unless given.
//
// Files of up to 8 MiB and 32 levels are read, without document type declarations, so that no entity is expanded. Error where
// it is no such folder or part, and where nothing can be read.
BoxData read_voc(const std::filesystem::path& folder, const std::string& part = {}, const std::vector<std::string>& classes = {},
                 const VocOptions& options = {});

// Makes Annotations/*.xml and, for every part, ImageSets/<part>.txt ("all" without a name). Numbers are written so that reading
// gives the same boxes bit for bit, but with one_based only where they are whole. Ignored objects become difficult; areas of
// masks are not kept. Pictures outside <folder>/JPEGImages are named by a <path> from the folder. Error for two pictures of one
// name, for names of classes that are empty, no UTF-8, or with blanks around them or control characters inside, and for two
// equal ones.
void write_voc(const std::filesystem::path& folder, const std::vector<BoxPart>& parts, const VocOptions& options = {});

// One annotation file that lies in `folder`. Error as write_voc.
std::string voc_text(const AnnotatedImage& image, const std::filesystem::path& folder, const std::vector<std::string>& classes,
                     const VocOptions& options = {});

// All that ImageSets names, sorted.
std::vector<std::string> voc_parts(const std::filesystem::path& folder);

}  // namespace fovea
