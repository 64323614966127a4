#include "pipeline/stages/load.hpp"

#include "pipeline/sources/pages.hpp"

namespace fovea {

void LoadImage::process(std::span<Frame> batch) {
  for (Frame& frame : batch) {
    if (frame.stream) continue;
    Image image = read_part(frame.input, frame.part);
    frame.notes = std::move(image.notes);
    frame.results.put(kImage, std::move(image));
  }
}

}  // namespace fovea
