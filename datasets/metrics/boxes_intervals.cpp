// Bootstrap: images are drawn with replacement, and only counted again, since what they hold is matched image by image.
#include <algorithm>

#include "datasets/metrics/boxes.hpp"
#include "datasets/metrics/boxes_curve.hpp"
#include "datasets/metrics/resamples.hpp"
#include "modules/core/error.hpp"
#include "modules/core/random.hpp"
#include "modules/core/threads.hpp"

namespace fovea {
namespace {

struct Resampled {
  struct Found {
    std::uint32_t image;  // its place
    bool right;
    bool follows;  // the one before it on the same image with the same score
  };
  struct Objects {
    std::uint32_t image;
    std::int64_t count;
  };
  std::vector<Found> found;  // the surest first, without what is ignored
  std::vector<Objects> objects;
  std::vector<double> ap;  // of each resample; -1 where it holds no object
};

double ap_of(const Resampled& c, const std::vector<std::uint32_t>& times, RightAndWrong& counts) {
  double objects = 0;
  for (const auto& o : c.objects) objects += static_cast<double>(o.count) * times[o.image];
  if (objects == 0) return -1;
  counts.clear();
  for (std::size_t i = 0, end = 0; i < c.found.size(); i = end) {
    for (end = i + 1; end < c.found.size() && c.found[end].follows;) ++end;
    const std::uint32_t copies = times[c.found[i].image];
    if (copies == 0) continue;
    // Copies stand side by side in the ranking: to count one detection's at once leaves the curve as it is.
    if (end == i + 1) counts.add(c.found[i].right, copies);
    else
      for (std::uint32_t copy = 0; copy < copies; ++copy)
        for (std::size_t k = i; k < end; ++k) counts.add(c.found[k].right);
  }
  return mean_of(counts.curve(objects));
}

BoxMetrics::Interval interval_of(std::vector<double> ap, double level) {
  std::erase_if(ap, [](double v) { return v < 0; });
  if (ap.empty()) return {};
  std::sort(ap.begin(), ap.end());
  return {quantile(ap, (1 - level) / 2), quantile(ap, (1 + level) / 2), static_cast<int>(ap.size())};
}

template <class Place>
std::vector<Resampled::Found> countable(const std::vector<RankedMatch>& all, std::uint32_t bit, const Place& place) {
  std::vector<Resampled::Found> found;
  const RankedMatch* last = nullptr;
  for (const RankedMatch& m : all) {
    if (m.match->ignored[0] & bit) continue;
    const bool follows = last && last->image == m.image && last->match->score == m.match->score;
    found.push_back({place(m.image), (m.match->found[0] & bit) != 0, follows});
    last = &m;
  }
  return found;
}

void resample(std::vector<Resampled>& classes, std::size_t images, std::uint64_t seed, std::size_t number) {
  Random random(seed, number);
  std::vector<std::uint32_t> times(images);
  for (std::size_t i = 0; i < images; ++i) ++times[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(images)))];
  RightAndWrong counts;
  for (Resampled& c : classes) c.ap[number] = ap_of(c, times, counts);
}

}  // namespace

std::vector<BoxMetrics::Interval> BoxMetrics::intervals(const Resampling& r) const {
  check(r.resamples > 0 && r.resamples <= 100'000, "box metrics: expected 1 to 100000 resamples, got ", r.resamples);
  check(r.level > 0 && r.level < 1, "box metrics: expected a level between 0 and 1, got ", r.level);
  std::vector<Interval> all(classes_.size());
  const std::size_t half = place_of(0.5, thresholds_);
  if (half == thresholds_.size()) return all;
  const std::uint32_t bit = std::uint32_t{1} << half;
  const std::vector<std::int64_t> ids(images_.begin(), images_.end());
  const auto place = [&](std::int64_t id) {
    return static_cast<std::uint32_t>(std::lower_bound(ids.begin(), ids.end(), id) - ids.begin());
  };
  std::vector<Resampled> classes(classes_.size());
  for (std::size_t c = 0; c < classes.size(); ++c) {
    classes[c].ap.resize(static_cast<std::size_t>(r.resamples));
    for (const OfImage& i : found_[c]) classes[c].objects.push_back({place(i.image), i.matches.objects[0]});
    classes[c].found = countable(ranked(c), bit, place);
  }
  parallel_blocks(r.resamples,
                  [&](std::int64_t number) { resample(classes, ids.size(), r.seed, static_cast<std::size_t>(number)); });
  for (std::size_t c = 0; c < classes.size(); ++c) all[c] = interval_of(std::move(classes[c].ap), r.level);
  return all;
}

}  // namespace fovea
