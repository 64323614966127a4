// Pictures with sentences that people wrote of them, as training and measuring read them, whatever format they are kept in:
//   Flickr8k   a folder with captions.txt or Flickr8k.token.txt, or such a file: lines "name.jpg#0<TAB>A dog runs .", or below
//              the line "image,caption" lines of CSV. Parts are lists of names beside it: train.txt, dev.txt, val.txt, test.txt,
//              or Flickr_8k.trainImages.txt and its like.
//   COCO       a .json file as captions_val2017.json: {"images": [{"id", "file_name"}], "annotations": [{"image_id",
//              "caption"}]}. It has no parts.
//   Karpathy   a .json file as dataset_flickr8k.json: {"images": [{"filename", "filepath", "split", "sentences": [{"raw"}]}]}
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "datasets/bad_file.hpp"

namespace fovea {

struct CaptionedPicture {
  std::filesystem::path file;         // is there; what is in it is not looked at here
  std::vector<std::string> captions;  // at least one; UTF-8, with words, without blanks around
  std::string split;                  // "train"; empty where the source names none
};

struct CaptionedData {
  std::filesystem::path source;            // the file of captions
  std::vector<CaptionedPicture> pictures;  // in the order in which the source names them first
  std::vector<BadFile> left_out;           // missing pictures, such without captions; of the source, lines that say nothing
};

struct CaptionedOptions {
  std::string split = {};  // only pictures of this part; empty: all
  // Where the pictures lie; empty: in images, Images or Flicker8k_Dataset beside the file, or in its own folder.
  std::filesystem::path images = {};
};

// Error that names the file: none of these formats, no picture that can be used, a part that the source does not name, over 1000
// lines or entries that say nothing. Files up to 512 MiB.
CaptionedData read_captioned(const std::filesystem::path& source, const CaptionedOptions& options = {});

// The parts of pictures, in the order in which they come.
std::vector<std::string> splits_of(const CaptionedData& data);

// All captions, picture by picture.
std::vector<std::string> captions_of(const std::vector<CaptionedPicture>& pictures);

}  // namespace fovea
