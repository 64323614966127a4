// Captioning: a sentence about a picture.
#include "pipeline/task.hpp"
#include "pipeline/tasks/caption/scorer.hpp"

namespace fovea {
namespace {

class CaptionTask final : public Task {
 public:
  std::string name() const override { return "caption"; }
  std::string text() const override { return "Say in a sentence what a picture shows; measured by BLEU, ROUGE-L and CIDEr-D"; }
  std::vector<std::unique_ptr<AnswerScorer>> scorers() const override {
    std::vector<std::unique_ptr<AnswerScorer>> all;
    all.push_back(captions_scorer());
    return all;
  }
};

}  // namespace

FOVEA_TASK(caption) { return std::make_unique<CaptionTask>(); }

}  // namespace fovea
