#include "modules/io/accepts.hpp"

namespace fovea {

Accepts read_accepts(const Yaml& recipe) {
  Accepts out;
  if (!recipe.has("accepts")) return out;
  Args a = recipe.at("accepts").args();
  const std::vector<std::string> any;
  out.modality = a.list("modality", any, "DICOM's codes of modalities; none: any");
  out.body_part = a.list("body_part", any, "DICOM's names of body parts; none: any");
  out.view = a.list("view", any, "DICOM's view positions; none: any");
  const auto spacing = a.numbers("spacing", {}, "[smallest, largest] mm a pixel");
  out.pictures = a.get("pictures", out.pictures, "files that are no scans");
  a.done();
  check(spacing.empty() || (spacing.size() == 2 && spacing[0] > 0 && spacing[0] <= spacing[1]), a.where(),
        ": spacing: expected [smallest, largest] in mm");
  if (!spacing.empty()) out.spacing = {spacing[0], spacing[1]};
  return out;
}

}  // namespace fovea
