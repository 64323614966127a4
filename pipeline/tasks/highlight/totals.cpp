#include "pipeline/tasks/highlight/totals.hpp"

#include <algorithm>
#include <cmath>
#include <set>

namespace fovea {

ClassTotal total_of(const HighlightAnswer& answer, std::size_t c, std::size_t first, std::size_t count) {
  ClassTotal total;
  std::set<int> numbers;
  double mm2 = 0, squares = 0;
  bool in_mm = true;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& measures = answer.pictures[first + i].classes[c].measures;
    if (!measures.empty()) total.on.push_back(i);
    for (const RegionMeasure& m : measures) {
      total.least = total.pixels == 0 ? m.least : std::min(total.least, m.least);
      total.most = total.pixels == 0 ? m.most : std::max(total.most, m.most);
      total.pixels += m.pixels, total.confidence += m.pixels * m.confidence, total.mean += m.pixels * m.mean;
      squares += m.pixels * (m.deviation * m.deviation + m.mean * m.mean);
      numbers.insert(m.number);
      in_mm = in_mm && m.area_mm2.has_value(), mm2 += m.area_mm2.value_or(0);
    }
  }
  total.regions = numbers.size();
  if (in_mm) total.mm2 = mm2;
  if (total.pixels == 0) return total;
  total.confidence /= total.pixels, total.mean /= total.pixels;
  total.deviation = std::sqrt(std::max(0.0, squares / total.pixels - total.mean * total.mean));
  return total;
}

}  // namespace fovea
