// Objects that move, what a detector sees of them, and how well a tracker keeps them apart.
#pragma once

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "pipeline/tracking/assignment.hpp"
#include "pipeline/tracking/tracker.hpp"

namespace fovea::test {

// What is there, and what the detector says of it; no score: nothing.
struct Object {
  std::int64_t id = 0;
  Box box;
  std::int64_t label = 0;
  double score = 0.9;
};

// Bernardin and Stiefelhagen 2008 (MOTA), Ristani et al. 2016, arXiv:1609.01775 (IDF1). Objects and tracks belong together from
// IoU 0.5 on.
class TrackScore {
 public:
  void add(const std::vector<Object>& objects, const std::vector<Track>& tracks) {
    std::vector<PairCost> candidates;
    std::vector<Track> seen;
    for (const Track& t : tracks)
      if (t.index) seen.push_back(t);
    for (std::size_t r = 0; r < objects.size(); ++r)
      for (std::size_t c = 0; c < seen.size(); ++c)
        if (objects[r].label == seen[c].detection.label)
          candidates.push_back({r, c, -iou(objects[r].box, seen[c].detection.box) - (kept(objects[r].id, seen[c].id) ? 1 : 0)});
    const auto columns = assign(objects.size(), seen.size(), candidates, -0.5);
    std::size_t together = 0;
    for (std::size_t r = 0; r < objects.size(); ++r) {
      if (!columns[r]) continue;
      const std::int64_t object = objects[r].id, id = seen[*columns[r]].id;
      switches += last_.count(object) > 0 && last_[object] != id;
      last_[object] = id;
      ++common_[{object, id}];
      ++together;
    }
    missed += objects.size() - together, wrong += seen.size() - together;
    objects_ += objects.size(), seen_ += seen.size();
  }
  double mota() const { return 1 - static_cast<double>(missed + wrong + switches) / static_cast<double>(objects_); }
  // Every object has one name in all; the best choice of names counts.
  double idf1() const {
    std::vector<std::int64_t> objects, ids;
    for (const auto& [pair, count] : common_) objects.push_back(pair.first), ids.push_back(pair.second);
    for (auto* list : {&objects, &ids}) {
      std::sort(list->begin(), list->end());
      list->erase(std::unique(list->begin(), list->end()), list->end());
    }
    std::vector<PairCost> candidates;
    for (const auto& [pair, count] : common_)
      candidates.push_back(
          {static_cast<std::size_t>(std::lower_bound(objects.begin(), objects.end(), pair.first) - objects.begin()),
           static_cast<std::size_t>(std::lower_bound(ids.begin(), ids.end(), pair.second) - ids.begin()),
           -static_cast<double>(count)});
    const auto columns = assign(objects.size(), ids.size(), candidates, 0);
    std::size_t right = 0;
    for (std::size_t r = 0; r < columns.size(); ++r)
      if (columns[r]) right += common_.at({objects[r], ids[*columns[r]]});
    return 2 * static_cast<double>(right) / static_cast<double>(objects_ + seen_);
  }

  std::size_t missed = 0, wrong = 0, switches = 0;

 private:
  bool kept(std::int64_t object, std::int64_t id) const {
    const auto found = last_.find(object);
    return found != last_.end() && found->second == id;
  }

  std::map<std::int64_t, std::int64_t> last_;
  std::map<std::pair<std::int64_t, std::int64_t>, std::size_t> common_;
  std::size_t objects_ = 0, seen_ = 0;
};

inline Detections detected(const std::vector<Object>& objects) {
  Detections out;
  for (const Object& o : objects)
    if (o.score > 0) out.push_back({o.box, o.label, o.score});
  return out;
}

// A box of 40 x 100 pixels whose centre is there.
inline Box person(double x, double y) { return {x - 20, y - 50, x + 20, y + 50}; }

}  // namespace fovea::test
