#include <fmt/format.h>

#include <iostream>

#include "apps/fovea/classification.hpp"
#include "apps/fovea/evaluate.hpp"
#include "datasets/labelled.hpp"
#include "modules/io/files.hpp"

namespace fovea {
namespace {

void print_classes(const ClassificationMetrics& m) {
  std::size_t width = 5;
  for (const std::string& c : m.classes()) width = std::max(width, c.size());
  std::cout << fmt::format("{:<{}} {:>8} {:>10} {:>8} {:>8}\n", "class", width, "images", "precision", "recall", "F1");
  for (const auto& c : m.per_class())
    std::cout << fmt::format("{:<{}} {:>8} {:>10.4f} {:>8.4f} {:>8.4f}\n", c.name, width, c.support, c.precision, c.recall, c.f1);
}

void print_summary(const ClassificationMetrics& m) {
  std::cout << fmt::format(
      "top-1 {:.4f}   top-5 {:.4f}   macro F1 {:.4f}   balanced accuracy {:.4f}   calibration error {:.4f}   loss {:.4f}\n",
      m.top1(), m.top5(), m.macro_f1(), m.balanced_accuracy(), m.calibration_error(), m.mean_loss());
}

// The pictures with the truth, which the data say or the teacher.
Photos pictures(const Model& model, const ClassifierEvaluation& e) {
  const std::vector<std::filesystem::path> sources(e.data.begin(), e.data.end());
  const PhotoOptions loading{.memory = 0, .shorter_side = 0};
  Photos photos(e.teacher.empty() ? read_labelled(sources, model.classes()).samples : unlabelled(sources), loading);
  check(photos.size() > 0, "no picture can be read; the first reason: ", photos.bad().front().reason);
  if (e.teacher.empty()) return photos;
  const Model teacher = Model::load(e.teacher);
  teacher.release_weights();
  check(teacher.classes() == model.classes(), "--teacher: the ", teacher.classes().size(), " classes of ", teacher.name(),
        " are not the ", model.classes().size(), " of ", model.name());
  label_by(teacher, photos, e.batch);
  return photos;
}

}  // namespace

int evaluate_classifier(const Model& model, const ClassifierEvaluation& e) {
  const Photos photos = pictures(model, e);
  std::cout << fmt::format("{}: {} classes, {} parameters, {}; {} pictures\n", model.name(), model.classes().size(),
                           model.params()->count(), name_of(e.precision), photos.size());
  for (const auto& b : photos.bad()) std::cerr << "fovea: left out: " << b.reason << "\n";
  const ClassificationMetrics m = measure(model, photos, e.batch, e.precision);
  if (e.teacher.empty()) print_classes(m);
  print_summary(m);
  if (!e.json.empty()) {
    nlohmann::ordered_json all{
        {"model", model.name()}, {"precision", std::string(name_of(e.precision))}, {"left_out", photos.bad().size()}};
    all.update(m.json());
    const std::string text = all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    write_file_atomically(e.json, text.data(), text.size());
  }
  if (!e.confusion.empty()) {
    const std::string svg =
        confusion_picture(m, fmt::format("{}: top-1 {:.2f} % of {} pictures", model.name(), 100 * m.top1(), m.count()));
    write_file_atomically(e.confusion, svg.data(), svg.size());
  }
  return photos.bad().empty() ? 0 : 3;
}

}  // namespace fovea
