#include "pipeline/stages/explain_images.hpp"

#include <algorithm>

#include "modules/io/files.hpp"
#include "pipeline/output_names.hpp"
#include "pipeline/sinks/bars.hpp"
#include "pipeline/sinks/ledger_json.hpp"
#include "pipeline/stages/save.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

// Evidence for the class is what is coloured; what speaks against it stays in the raw values.
cv::Mat shown(const PlacedMap& map) {
  const bool is_signed = map.map.name == "integrated_gradients";
  return is_signed ? cv::Mat(cv::max(map.heat, 0.0)) : map.heat;
}

void write_text(const fs::path& file, const std::string& text) {
  write_output(file, [&] { write_file_atomically(file, text.data(), text.size()); });
}

}  // namespace

void ExplainImages::process(std::span<Frame> batch) {
  for (Frame& frame : batch) frame.results.put(kExplained, explainer_->run(frame.results.get(kImage)));
}

void SaveExplained::save_map(Frame& frame, const PlacedMap& map, nlohmann::ordered_json& facts) const {
  const fs::path overlay = beside(frame.output, map.name + ".png");
  const OverlayOptions look{.colours = options_.colours, .opacity = options_.opacity, .legend = true};
  cv::Mat heat = shown(map);
  map.heat.copyTo(heat, missing(map.heat));  // what was not seen stays so
  const auto bytes = encode_image(heat_overlay(frame.results.get(kImage), heat, look), "png");
  write_output(overlay, [&] { write_file_atomically(overlay, bytes.data(), bytes.size()); });
  frame.written.push_back(overlay);
  put_name(facts, "overlay", overlay.filename().string());
  if (options_.raw == RawMap::none) return;
  const bool npy = options_.raw == RawMap::npy;
  const fs::path raw = beside(frame.output, map.name + (npy ? ".npy" : ".raw.png"));
  write_output(raw, [&] { npy ? write_heat_npy(raw, map.heat) : write_heat_png(raw, map.heat); });
  frame.written.push_back(raw);
  put_name(facts, "raw", raw.filename().string());
}

void SaveExplained::process(std::span<Frame> batch) {
  for (Frame& frame : batch) {
    Explained e = frame.results.take(kExplained);
    nlohmann::ordered_json facts;
    put_name(facts, "source", frame.source);
    facts.update(e.facts);
    for (std::size_t i = 0; i < e.maps.size(); ++i) save_map(frame, e.maps[i], facts["maps"][i]);
    for (std::size_t i = 0; i < e.bars.size(); ++i) {
      const fs::path file = beside(frame.output, e.bars[i].name + ".svg");
      write_text(file, bars_svg(e.bars[i].name, e.bars[i].values));
      frame.written.push_back(file);
      put_name(facts["channels"][i], "picture", file.filename().string());
    }
    frame.results.remove(kImage);
    write_text(frame.output, facts.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
  }
}

}  // namespace fovea
