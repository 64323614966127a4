// Written answers and the truth that they are scored against.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace fovea {

struct AnswerPair {
  std::string name;  // of the true file, below its folder
  std::filesystem::path answer, truth;
};

// Every image of `truth`, in order, with the image of `answers` that has the same name below its folder, whatever the extensions. Answers
// may carry `suffix` behind a whole file name: photo.jpg.mask.png answers photo.png where it is ".mask". Error for a truth without answer.
std::vector<AnswerPair> answer_pairs(const std::filesystem::path& answers, const std::filesystem::path& truth,
                                     const std::string& suffix = {});

}  // namespace fovea
