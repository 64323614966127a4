// Pictures with a class each: a folder of folders, or a CSV file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "datasets/photos.hpp"

namespace fovea {

struct LabelledData {
  std::vector<std::string> classes;  // sorted by name unless given
  std::vector<Sample> samples;       // in order of class and path, or of the CSV's lines
  std::vector<BadFile> left_out;     // of folders: see images_below; what is inside the files is not looked at here
};

// Each source is a folder with one folder of images (at any depth) for each class, or a .csv file: a header with the columns `path` and `label`,
// paths relative to the file. With `classes` given nothing else may occur. Errors say what and where: no classes, a class without an
// image, images beside the class folders, folders that are called as the parts of a data set (train, validate), a label that is not one of
// the classes, a picture with two labels, lines that are no CSV.
LabelledData read_labelled(const std::vector<std::filesystem::path>& sources, const std::vector<std::string>& classes = {});

struct Split {
  std::vector<Sample> training, validation;
};
// That share of every class, rounded, drawn by the seed, goes to the validation; each class keeps at least one picture for training.
Split split(const std::vector<Sample>& samples, double validation_share, std::uint64_t seed);

// How many samples each of `count` classes has.
std::vector<std::int64_t> class_counts(const std::vector<Sample>& samples, std::size_t count);

}  // namespace fovea
