#include "pipeline/tasks/upscale/stages.hpp"

#include <algorithm>

#include "modules/io/files.hpp"
#include "pipeline/output_names.hpp"
#include "pipeline/sinks/heatmap.hpp"
#include "pipeline/sources/work_list.hpp"
#include "pipeline/stages/save.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

fs::path map_file(const fs::path& output, std::string map, const char* ending) {
  std::replace(map.begin(), map.end(), '/', '-');
  return fitting(output.parent_path() / (output.filename().string() + '.' + map + ending));
}

}  // namespace

void SuperResolve::process(std::span<Frame> batch) {
  for (Frame& frame : batch) {
    // Found now, not when all is computed.
    const Image& image = frame.results.get(kImage);
    check_can_hold(format_of(frame.output), image.pixels.size() * network_.facts.scale, image.pixels.type());
    Upscaled result = upscale_image(for_jpeg_ && image.format == "JPEG" ? *for_jpeg_ : network_, image, options_);
    frame.results.remove(kImage);
    frame.results.put(kOutput, std::move(result.image));
    frame.results.put(kMaps, std::move(result.maps));
  }
}

void SaveMaps::process(std::span<Frame> batch) {
  for (Frame& frame : batch) {
    const auto maps = frame.results.take(kMaps);
    for (const AttentionMap& map : maps) {
      const fs::path overlay = map_file(frame.output, map.name, ".overlay.jpg");
      const auto bytes = encode_image(heat_overlay(frame.results.get(kOutput), map.heat), "jpg", {.jpeg_quality = 90});
      write_output(overlay, [&] { write_file_atomically(overlay, bytes.data(), bytes.size()); });
      const fs::path raw = map_file(frame.output, map.name, format_ == MapFormat::png ? ".png" : ".npy");
      write_output(raw, [&] { format_ == MapFormat::png ? write_heat_png(raw, map.heat) : write_heat_npy(raw, map.heat); });
      frame.written.insert(frame.written.end(), {overlay, raw});
    }
  }
}

}  // namespace fovea
