// How well class probabilities match the truth.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "modules/core/tensor.hpp"

namespace fovea {

class ClassificationMetrics {
 public:
  // The confidence of the best class is sorted into `bins` equal intervals for the calibration error.
  explicit ClassificationMetrics(std::vector<std::string> classes, int bins = 15);

  // Logits N x classes (softmax is taken here) and N true classes, s64. Errors: other shapes, labels out of range, logits that are not finite.
  void add(const Tensor& logits, const Tensor& labels);

  struct PerClass {
    std::string name;
    std::int64_t support = 0;                  // samples that are of this class
    double precision = 0, recall = 0, f1 = 0;  // 0 where nothing is to be divided by
  };

  std::int64_t count() const { return count_; }
  double top1() const;
  double top5() const;               // the true class is among the five best; 1 where there are no more than five
  double macro_f1() const;           // mean over the classes that occur or were predicted
  double balanced_accuracy() const;  // mean recall of the classes that occur
  // Expected calibration error (Guo et al. 2017, arXiv:1706.04599): sum over bins of share * |accuracy - mean confidence|.
  double calibration_error() const;
  double mean_loss() const;  // cross entropy
  std::vector<PerClass> per_class() const;
  // [true class][predicted class]
  const std::vector<std::vector<std::int64_t>>& confusion() const { return confusion_; }
  const std::vector<std::string>& classes() const { return classes_; }

  nlohmann::ordered_json json() const;  // all of it

 private:
  struct Bin {
    std::int64_t count = 0, right = 0;
    double confidence = 0;
  };
  void add_row(const std::vector<double>& logits, std::size_t label);

  std::vector<std::string> classes_;
  std::vector<std::vector<std::int64_t>> confusion_;
  std::vector<Bin> bins_;
  std::int64_t count_ = 0, among_five_ = 0;
  double loss_ = 0;
};

// Its confusion matrix as an SVG, as datasets/metrics/confusion_picture.hpp draws it.
std::string confusion_picture(const ClassificationMetrics& metrics, const std::string& title);

}  // namespace fovea
