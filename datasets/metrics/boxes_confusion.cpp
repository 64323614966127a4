#include "datasets/metrics/boxes_confusion.hpp"

#include <algorithm>

#include "modules/core/error.hpp"

namespace fovea {
namespace {

constexpr std::size_t kMostClasses = 1'500, kMost = 1'000;

bool in_ignored(const Detection& d, const std::vector<Annotation>& truth, double share) {
  return std::any_of(truth.begin(), truth.end(), [&](const Annotation& a) {
    const double both = a.ignored && a.label == d.label ? intersection(d.box, a.box) : 0;
    return both > 0 && both >= share * d.box.area();
  });
}

// The free object that it overlaps most; past the end: none.
std::size_t object_of(const Detection& d, const std::vector<Annotation>& truth, const std::vector<char>& taken, double least) {
  std::size_t best = truth.size();
  double most = least;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    if (taken[i] || truth[i].ignored) continue;
    const double overlap = iou(d.box, truth[i].box);
    const bool equal = best < truth.size() && overlap == most;
    if (overlap < most || (equal && (truth[i].label != d.label || truth[best].label == d.label))) continue;
    most = overlap, best = i;
  }
  return best;
}

}  // namespace

BoxConfusion::BoxConfusion(const std::vector<std::string>& classes, Options options) : options_(options), names_(classes) {
  check(classes.size() <= kMostClasses, "confusion matrix: expected at most ", kMostClasses, " classes, got ", classes.size());
  check(options.iou > 0 && options.iou <= 1, "confusion matrix: expected an overlap in (0, 1], got ", options.iou);
  names_.push_back("background");
  counts_.assign(names_.size(), std::vector<std::int64_t>(names_.size()));
}

void BoxConfusion::add(const std::vector<Annotation>& truth, const Detections& detections) {
  const std::size_t background = names_.size() - 1;
  const auto index = [&](std::int64_t label) {
    check(label >= 0 && static_cast<std::size_t>(label) < background, "confusion matrix: expected a label below ", background,
          ", got ", label);
    return static_cast<std::size_t>(label);
  };
  for (const Annotation& a : truth) index(a.label);
  std::vector<const Detection*> sure;
  for (const Detection& d : detections) {
    index(d.label);
    if (d.score >= options_.score) sure.push_back(&d);
  }
  std::stable_sort(sure.begin(), sure.end(), [](const Detection* a, const Detection* b) { return a->score > b->score; });
  sure.resize(std::min(sure.size(), kMost));
  std::vector<char> taken(truth.size());
  for (const Detection* d : sure) {
    const std::size_t object = object_of(*d, truth, taken, options_.iou);
    if (object < truth.size()) {
      taken[object] = 1;
      ++counts_[index(truth[object].label)][index(d->label)];
    } else if (!in_ignored(*d, truth, options_.iou)) {
      ++counts_[background][index(d->label)];
    }
  }
  for (std::size_t i = 0; i < truth.size(); ++i)
    if (!taken[i] && !truth[i].ignored) ++counts_[index(truth[i].label)][background];
}

}  // namespace fovea
