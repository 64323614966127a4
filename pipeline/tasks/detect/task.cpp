// Detection: boxes and classes of the objects on a picture.
#include "pipeline/task.hpp"
#include "pipeline/tasks/detect/box_score.hpp"
#include "pipeline/tasks/detect/evaluator.hpp"
#include "pipeline/tasks/detect/operation.hpp"
#include "pipeline/tasks/detect/scorer.hpp"
#include "pipeline/tasks/detect/training.hpp"

namespace fovea {
namespace {

constexpr const char* kExamples =
    R"(For each image: "photo.jpg.boxes.jpg" to look at, "photo.jpg.json" with class, score and box of each object; for all of them
detections.csv and detections.coco.json. Boxes are in pixels of the image as it is seen, upright.
For each video: "street.mp4.jsonl", an object a frame; "street.mp4.boxes.mp4" to look at, with its times and audio; "street.mp4.json", what was
counted; for all of them videos.csv. A stream's address (rtsp://, http://) is looked at until it ends, --limit or Ctrl-C.

Example:
  fovea detect photos/ --model cells -o found --report
  fovea detect photos/ --model cells --conf 0.4 --classes RBC --write overlay crops voc -o found
  fovea detect street.mp4 --model cells -o found --track --line 'door:0%,60%,100%,60%'
  fovea detect photos/ --model cells --maps 'head.mask.**' --explain 3 -o found   # what the attention and the boxes looked at
)";

class DetectTask final : public Task {
 public:
  std::string name() const override { return "detect"; }
  std::string text() const override { return "Find objects and the boxes around them"; }
  void complete(Yaml& recipe, const std::filesystem::path& root) const override { name_detected(recipe, root); }
  TrainJob training(const Yaml& recipe, const Model& model, const std::filesystem::path& root,
                    TrainOptions& options) const override {
    return detect_training(recipe, model, root, options);
  }
  std::vector<KeyGroup> keys() const override { return detect_keys(); }
  std::vector<TrainingFile> files(const Yaml& recipe, const std::filesystem::path& root) const override {
    return detect_files(recipe, root);
  }
  std::unique_ptr<Evaluator> evaluator() const override { return detect_evaluator(); }
  std::vector<std::unique_ptr<AnswerScorer>> scorers() const override {
    std::vector<std::unique_ptr<AnswerScorer>> all;
    all.push_back(box_scorer());
    return all;
  }
  std::unique_ptr<Operation> operation() const override { return detect_operation(); }
  std::string examples() const override { return kExamples; }
  ScoreOf score(const Model& model, const std::string& target, int top) const override { return box_score(model, target, top); }
};

}  // namespace

FOVEA_TASK(detect) { return std::make_unique<DetectTask>(); }

}  // namespace fovea
