#include "pipeline/stages/load.hpp"

namespace fovea {

void LoadImage::process(std::span<Frame> batch) {
  for (Frame& frame : batch) frame.results.put(kImage, read_image(frame.input));
}

}  // namespace fovea
