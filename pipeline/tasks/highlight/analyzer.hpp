// Regions on the pictures of a video or a camera.
#pragma once

#include <memory>

#include "pipeline/frame_analyzer.hpp"
#include "pipeline/tasks/highlight/highlighter.hpp"
#include "pipeline/tasks/highlight/overlay.hpp"

namespace fovea {

// Objects are {"class", "score" (mean probability), "region", "box", "area_px"}.
std::unique_ptr<FrameAnalyzer> highlight_analyzer(std::shared_ptr<const Highlighter> highlighter, const RegionRules& rules,
                                                  const HighlightDrawing& drawing);

}  // namespace fovea
