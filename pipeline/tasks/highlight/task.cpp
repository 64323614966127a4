// Highlighting: regions of classes on scans and pictures, how sure the model is, and where it looked.
#include "pipeline/task.hpp"
#include "pipeline/tasks/highlight/evaluator.hpp"
#include "pipeline/tasks/highlight/fit_command.hpp"
#include "pipeline/tasks/highlight/highlighter.hpp"
#include "pipeline/tasks/highlight/operation.hpp"
#include "pipeline/tasks/highlight/region_score.hpp"
#include "pipeline/tasks/highlight/training.hpp"

namespace fovea {
namespace {

constexpr const char* kExamples =
    R"(INPUT may also be scans: DICOM files (whatever they are called), NIfTI (.nii, .nii.gz); the files of one series become one volume.
For each input: "scan.dcm.overlay.png" to look at, for each class a mask and a 16-bit map of its probability, and "scan.dcm.json" with the sizes of all regions, in
millimetres where the scan says how large a pixel is; of volumes NIfTI with the place in the patient; for all of them regions.csv. --maps adds
"scan.dcm.<map>.png" to look at and "scan.dcm.<map>.npy", or of volumes "<map>.nii.gz".
Research use only, not for diagnosis.

Example:
  fovea highlight eyes/ --model vessels -o out --report
  fovea highlight eyes/ --model vessels -o out --flips --maps gates,gradcam,uncertainty --write overlay mask
  fovea highlight study/ --model chest -o out --samples 20          # a model with dropout in its head
  fovea highlight plate.tif --model nuclei -o out --spacing 0.00065
  fovea fit-normal good/ -o normal.safetensors && fovea highlight new/ --model normal.safetensors -o out   # anomalies
)";

class HighlightTask final : public Task {
 public:
  std::string name() const override { return "highlight"; }
  std::string text() const override { return "Highlight regions of scans and pictures"; }
  TrainJob training(const Yaml& recipe, const Model& model, const std::filesystem::path& root,
                    TrainOptions& options) const override {
    return highlight_training(recipe, model, root, options);
  }
  std::vector<KeyGroup> keys() const override { return highlight_keys(); }
  std::vector<TrainingFile> files(const Yaml& recipe, const std::filesystem::path& root) const override {
    return highlight_files(recipe, root);
  }
  std::unique_ptr<Evaluator> evaluator() const override { return highlight_evaluator(); }
  std::vector<std::unique_ptr<AnswerScorer>> scorers() const override {
    std::vector<std::unique_ptr<AnswerScorer>> all;
    all.push_back(region_scorer());
    return all;
  }
  std::vector<std::unique_ptr<TaskCommand>> commands() const override {
    std::vector<std::unique_ptr<TaskCommand>> all;
    all.push_back(fit_command());
    return all;
  }
  std::unique_ptr<Operation> operation() const override { return highlight_operation(); }
  std::string examples() const override { return kExamples; }
  ScoreOf score(const Model& model, const std::string& target, int top) const override {
    return region_score(model, highlight_head(model).rules(), target, top);
  }
};

}  // namespace

FOVEA_TASK(highlight) { return std::make_unique<HighlightTask>(); }

}  // namespace fovea
