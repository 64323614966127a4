#include "pipeline/tasks/detect/box_data.hpp"

namespace fovea {

BoxData read_all(const std::vector<std::filesystem::path>& sources, const std::string& split,
                 const std::vector<std::string>& classes) {
  BoxData all;
  all.classes = classes;
  for (const auto& source : sources) {
    BoxData part = read_boxes(source, split, all.classes);
    if (all.classes.empty()) all.classes = part.classes;
    if (all.category_ids.empty()) all.category_ids = part.category_ids;
    for (AnnotatedImage& image : part.images) {
      if (sources.size() > 1) image.id = static_cast<std::int64_t>(all.images.size()) + 1;
      all.images.push_back(std::move(image));
    }
    all.faults.insert(all.faults.end(), part.faults.begin(), part.faults.end());
    all.bad.insert(all.bad.end(), part.bad.begin(), part.bad.end());
  }
  return all;
}

}  // namespace fovea
