#include "pipeline/answer_pairs.hpp"

#include <map>

#include "datasets/walk.hpp"
#include "modules/core/error.hpp"

namespace fovea {

namespace fs = std::filesystem;

std::vector<AnswerPair> answer_pairs(const fs::path& answers, const fs::path& truth, std::vector<BadFile>& left_out,
                                     const std::string& suffix) {
  std::map<fs::path, fs::path> by_name;
  for (const fs::path& file : images_below(answers).files) {
    fs::path name = file.lexically_relative(answers).replace_extension();
    if (!suffix.empty() && name.extension() == suffix) name.replace_extension().replace_extension();
    by_name.emplace(name, file);
  }
  const FolderImages found_truth = images_below(truth);
  const auto& wanted = found_truth.files;
  left_out.insert(left_out.end(), found_truth.left_out.begin(), found_truth.left_out.end());
  check(!wanted.empty(), truth.string(), ": no images");
  std::vector<AnswerPair> pairs;
  for (const fs::path& file : wanted) {
    const fs::path name = file.lexically_relative(truth);
    const auto found = by_name.find(fs::path(name).replace_extension());
    check(found != by_name.end(), answers.string(), ": there is no answer for ", name.string());
    pairs.push_back({name.string(), found->second, file});
  }
  return pairs;
}

}  // namespace fovea
