// Written answers and the truth that they are scored against.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "datasets/bad_file.hpp"

namespace fovea {

struct AnswerPair {
  std::string name;  // of the true file, below its folder
  std::filesystem::path answer, truth;
};

// Every image of `truth`, in order, with the image of `answers` that has the same name below its folder, whatever the extensions. Answers
// may carry `suffix` behind a whole file name: photo.jpg.mask.png answers photo.png where it is ".mask". Error for a truth without answer. What
// of the truth is no image that is read is added to `left_out`.
std::vector<AnswerPair> answer_pairs(const std::filesystem::path& answers, const std::filesystem::path& truth,
                                     std::vector<BadFile>& left_out, const std::string& suffix = {});

}  // namespace fovea
