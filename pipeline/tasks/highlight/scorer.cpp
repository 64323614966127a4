// Regions that were written before, against the truth.
#include <map>

#include "datasets/image.hpp"
#include "datasets/regions/field_of_view.hpp"
#include "datasets/scans/unit_range.hpp"
#include "datasets/walk.hpp"
#include "modules/core/error.hpp"
#include "pipeline/tasks/highlight/evaluator.hpp"
#include "pipeline/tasks/highlight/score_table.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

constexpr const char* kName = "{name}";

// "masks/{name}_1stHO.png" to the files that it means, by their {name}.
std::map<std::string, fs::path> named_files(const std::string& pattern, std::vector<BadFile>& left_out) {
  const fs::path path(pattern);
  const std::string file = path.filename().string();
  const auto at = file.find(kName);
  check(at != std::string::npos && pattern.find(kName) == pattern.rfind(kName), pattern,
        ": expected a path whose last part holds ", kName, " once");
  const std::string before = file.substr(0, at), after = file.substr(at + std::string(kName).size());
  const FolderImages found = images_below(path.has_parent_path() ? path.parent_path() : fs::path("."));
  left_out.insert(left_out.end(), found.left_out.begin(), found.left_out.end());
  std::map<std::string, fs::path> out;
  for (const fs::path& f : found.files) {
    const std::string name = f.filename().string();
    if (name.size() > before.size() + after.size() && name.starts_with(before) && name.ends_with(after))
      out.emplace(name.substr(before.size(), name.size() - before.size() - after.size()), f);
  }
  check(!out.empty(), pattern, ": no file matches");
  return out;
}

cv::Mat one_channel(const fs::path& file) {
  const cv::Mat pixels = read_image(file).pixels;
  check(pixels.channels() == 1, file.string(), ": expected one channel, got ", pixels.channels());
  return pixels;
}

class RegionScorer final : public AnswerScorer {
 public:
  std::string name() const override { return "regions"; }
  std::string text() const override {
    return "Dice, curves, outlines and objects of regions that were written, against the true ones";
  }
  void add_options(OptionList& o) override {
    o.word("ANSWERS", answers_,
           "Masks or probabilities, such as 'found/{name}.jpg.vessel.probability.png'; 16 bits: 0 to 65535 is 0 to 1");
    o.require();
    o.word("TRUTH", truth_, "The true masks, such as 'data/{name}_1stHO.png': the class where they are not 0");
    o.require();
    o.flag("--objects", objects_, "The values are numbers of objects");
    o.word("--field-of-view", pictures_,
           "Pictures, such as 'data/{name}.jpg': count only what the lens shows, without the dark rim");
    o.number("--threshold", threshold_, 0, 1, "Probability from which a pixel counts as found");
  }
  void run() override {
    metrics_.emplace(std::vector<std::string>{"region"}, std::vector<double>{threshold_});
    if (objects_) counted_.resize(1);
    const auto answers = named_files(answers_, left_out_), truth = named_files(truth_, left_out_);
    const auto pictures = pictures_.empty() ? std::map<std::string, fs::path>{} : named_files(pictures_, left_out_);
    for (const auto& [name, file] : answers) try {
        const auto real = truth.find(name);
        check(real != truth.end(), file.string(), ": there is no truth of the name '", name, "'");
        add(one_channel(file), one_channel(real->second), where(name, pictures), file);
      } catch (const std::exception& e) { left_out_.push_back(bad_file(file, e)); }
    check(metrics_->pictures() > 0, answers_, ": nothing could be scored; the first reason: ", left_out_.front().reason);
  }
  std::string table() const override { return region_table(metrics_->scores(), counted_); }
  nlohmann::ordered_json json() const override { return region_json(metrics_->scores(), counted_); }
  std::vector<BadFile> left_out() const override { return left_out_; }

 private:
  cv::Mat where(const std::string& name, const std::map<std::string, fs::path>& pictures) const {
    if (pictures_.empty()) return {};
    const auto it = pictures.find(name);
    check(it != pictures.end(), pictures_, ": there is no picture of the name '", name, "'");
    return field_of_view(unit_range(read_photo(it->second), Preprocess::none(3)));
  }
  void add(const cv::Mat& answer, const cv::Mat& truth, const cv::Mat& counts, const fs::path& file) {
    check(answer.size() == truth.size(), file.string(), ": expected ", truth.cols, "x", truth.rows, " pixels, got ", answer.cols,
          "x", answer.rows);
    cv::Mat probability;
    if (objects_) cv::Mat(answer != 0).convertTo(probability, CV_32F, 1 / 255.0);
    else answer.convertTo(probability, CV_32F, answer.depth() == CV_16U ? 1 / 65535.0 : 1 / 255.0);
    metrics_->add({probability}, {cv::Mat(truth != 0)}, counts);
    if (!objects_) return;
    cv::Mat found, real;
    answer.convertTo(found, CV_32S);
    truth.convertTo(real, CV_32S);
    counted_[0].add(found, real);
  }

  std::string answers_, truth_, pictures_;
  bool objects_ = false;
  double threshold_ = 0.5;
  std::vector<BadFile> left_out_;
  std::optional<RegionMetrics> metrics_;
  std::vector<ObjectMetrics> counted_;
};

}  // namespace

std::unique_ptr<AnswerScorer> region_scorer() { return std::make_unique<RegionScorer>(); }

}  // namespace fovea
