// Scores of whole pictures against what they are: normal, or an anomaly of some kind.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "datasets/bad_file.hpp"
#include "pipeline/tasks/highlight/answer.hpp"

namespace fovea {

// Pictures that are normal, or not.
struct JudgedPicture {
  std::filesystem::path file;
  std::string kind;  // empty: normal
};

// Whether pictures are sorted by kind there: a folder with a folder `normal` (or `good`), or a .csv table.
bool has_kinds(const std::filesystem::path& data);
// One folder a kind, or a table with the columns path and label; one of them is called normal (or good), and there is another. Error.
std::vector<JudgedPicture> read_kinds(const std::filesystem::path& data, std::vector<BadFile>& left_out);

class AnomalyScores {
 public:
  // `threshold`: a score's probability from which a picture counts as anomalous.
  explicit AnomalyScores(double threshold) : threshold_(threshold) {}
  void add(const std::string& kind, const PictureScore& score);
  bool empty() const { return normal_.empty() && kinds_.empty(); }
  double auroc() const;
  std::string table() const;
  nlohmann::ordered_json json() const;

 private:
  struct Line {
    std::string name;
    std::vector<PictureScore> scores;
  };
  std::vector<Line> lines() const;  // all anomalies, then each kind where there are several
  nlohmann::ordered_json json_of(const Line& line) const;
  double share_above(const std::vector<PictureScore>& scores) const;

  double threshold_;
  std::vector<PictureScore> normal_;
  std::map<std::string, std::vector<PictureScore>> kinds_;
};

}  // namespace fovea
