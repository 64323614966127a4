#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "datasets/scans/nifti_write.hpp"
#include "modules/core/dtype.hpp"
#include "modules/io/files.hpp"
#include "pipeline/output_names.hpp"
#include "pipeline/sinks/heatmap.hpp"
#include "pipeline/sinks/ledger_json.hpp"
#include "pipeline/stages/save.hpp"
#include "pipeline/tasks/highlight/save_dicom.hpp"
#include "pipeline/tasks/highlight/stages.hpp"
#include "pipeline/tasks/highlight/totals.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::ordered_json;

cv::Mat stored_mask(const FoundClass& found, bool objects) {
  cv::Mat out;
  if (objects) found.regions.convertTo(out, CV_16U);
  else out = found.regions != 0;
  return out;
}

NiftiGeometry geometry_of(const ImageStack& stack, const StackPart& part, cv::Size size) {
  const Slice& first = stack.slice(static_cast<int>(part.first));
  return {size.width, size.height, static_cast<int>(part.count), first.about.spacing, first.about.plane, stack.step(part.volume)};
}

// One volume of one class.
void write_volume(Frame& frame, const fs::path& file, const HighlightAnswer& answer, const StackPart& part, double scale,
                  const std::function<cv::Mat(const FoundPicture&)>& slice_of) {
  write_output(file, [&] {
    const cv::Mat first = slice_of(answer.pictures[part.first]);
    NiftiWriter writer(file, geometry_of(*answer.stack, part, first.size()), first.type(), scale);
    for (std::size_t i = 0; i < part.count; ++i) writer.add(slice_of(answer.pictures[part.first + i]));
    writer.finish();
  });
  frame.written.push_back(file);
}

Json region_json(const RegionMeasure& m, const Slice& slice, const std::string& unit, double sure) {
  Json json{{"number", m.number},
            {"box", {m.box.x, m.box.y, m.box.width, m.box.height}},
            {"centre", {m.centre.x, m.centre.y}},
            {"area_px", m.pixels},
            {"diameter_px", m.diameter},
            {"length_px", m.length}};
  if (m.area_mm2) json["area_mm2"] = *m.area_mm2, json["diameter_mm"] = *m.diameter_mm, json["length_mm"] = *m.length_mm;
  if (slice.about.plane && slice.about.spacing)
    json["centre_in_patient_mm"] = slice.about.plane->at(m.centre.x, m.centre.y, *slice.about.spacing);
  json["intensity"] = {{"mean", m.mean}, {"deviation", m.deviation}, {"least", m.least}, {"most", m.most}};
  if (!unit.empty()) json["intensity"]["unit"] = unit;
  json["confidence"] = m.confidence;
  if (m.uncertainty > 0) json["uncertainty"] = m.uncertainty;
  if (m.confidence < sure) json["unsure"] = true;
  return json;
}

void put_score(Json& json, const std::optional<PictureScore>& score) {
  if (score) json["score"] = score->probability, json["deviations"] = score->deviations;
}

// The largest of all pictures.
std::optional<PictureScore> total_score(const HighlightAnswer& answer, std::size_t c) {
  std::optional<PictureScore> most;
  for (const FoundPicture& p : answer.pictures)
    if (const auto& s = p.classes[c].score; s && (!most || s->deviations > most->deviations)) most = s;
  return most;
}

Json picture_json(const HighlightAnswer& answer, std::size_t i, const std::vector<std::string>& classes,
                  const SaveHighlightsOptions& options) {
  const Slice& slice = answer.stack->slice(static_cast<int>(i));
  const FoundPicture& found = answer.pictures[i];
  Json json;
  put_name(json, "file", options.key ? options.key->of(slice.file) : slice.file.filename().string());
  json["frame"] = slice.frame;
  json["width"] = found.shown.cols, json["height"] = found.shown.rows;
  if (const auto& s = slice.about.spacing) {
    json["spacing_mm"] = {s->rows, s->columns};
    if (s->at_detector) json["spacing_is"] = "at detector, uncalibrated";
  }
  if (const auto& p = slice.about.plane)
    json["place_mm"] = {{"origin", p->origin}, {"along_columns", p->along_columns}, {"along_rows", p->along_rows}};
  const std::string unit = answer.stack->is_scan() ? answer.stack->info().unit : "";
  for (std::size_t c = 0; c < classes.size(); ++c) {
    Json regions = Json::array();
    for (const RegionMeasure& m : found.classes[c].measures) regions.push_back(region_json(m, slice, unit, options.drawing.sure));
    json["classes"].push_back({{"class", classes[c]}, {"regions", std::move(regions)}});
    put_score(json["classes"].back(), found.classes[c].score);
  }
  return json;
}

// Over all pictures. Volumes in mm3 where the slices of one volume have a spacing and a step.
Json total_json(const HighlightAnswer& answer, std::size_t c, const std::string& name) {
  const ClassTotal total = total_of(answer, c, 0, answer.pictures.size());
  Json json{{"class", name}, {"regions", total.regions}, {"pixels", total.pixels}};
  put_score(json, total_score(answer, c));
  if (total.pixels == 0) return json;
  json["confidence"] = total.confidence;
  const bool volume = answer.stack->volumes().size() == 1 && answer.pictures.size() > 1;
  if (total.mm2 && answer.pictures.size() == 1) json["area_mm2"] = *total.mm2;
  if (total.mm2 && volume && answer.stack->step()) json["volume_mm3"] = *total.mm2 * *answer.stack->step();
  return json;
}

std::string number_of(std::size_t i) { return fmt::format("{:04}", i + 1); }

// {"file", "precision", "use", "withheld", "classes": [totals], "pictures": [{"classes": [{"class", "regions": [...]}], ...}]}
Json answer_json(const Frame& frame, const HighlightAnswer& answer, const std::vector<std::string>& classes, DType precision,
                 const SaveHighlightsOptions& options) {
  Json json;
  put_name(json, "file", frame.source);
  json["precision"] = name_of(precision);
  json["use"] = kResearchOnly;
  if (answer.forced) json["forced"] = "the model was not made for this kind of picture";
  if (answer.stack->is_scan()) json["modality"] = answer.stack->info().modality;
  for (std::size_t c = 0; c < classes.size(); ++c) json["classes"].push_back(total_json(answer, c, classes[c]));
  for (std::size_t i = 0; i < answer.pictures.size(); ++i) json["pictures"].push_back(picture_json(answer, i, classes, options));
  return json;
}

}  // namespace

void SaveHighlights::save_picture(Frame& frame, const FoundPicture& found) const {
  for (std::size_t c = 0; c < classes_.size(); ++c) {
    const FoundClass& k = found.classes[c];
    if (options_.mask) save_png(frame, beside(frame.output, classes_[c] + ".mask.png"), stored_mask(k, false));
    if (options_.mask && objects_) save_png(frame, beside(frame.output, classes_[c] + ".objects.png"), stored_mask(k, true));
    if (options_.probability) save_png(frame, beside(frame.output, classes_[c] + ".probability.png"), k.probability);
    if ((options_.probability || options_.uncertainty) && !k.uncertainty.empty())
      save_png(frame, beside(frame.output, classes_[c] + ".uncertainty.png"), k.uncertainty);
  }
}

void SaveHighlights::save_overlays(Frame& frame, const HighlightAnswer& answer, DicomOutputs& dicom) const {
  const bool one = answer.pictures.size() == 1;
  for (std::size_t i = 0; i < answer.pictures.size(); ++i) {
    const Slice& slice = answer.stack->slice(static_cast<int>(i));
    const cv::Mat drawn = highlight_overlay(answer.pictures[i], slice, classes_, options_.drawing, answer.forced);
    const auto named = [&](const std::string& extension) {
      return one ? beside(frame.output, "overlay" + extension) : beside(frame.output, "overlays") / (number_of(i) + extension);
    };
    if (options_.overlay) save_png(frame, named(".png"), drawn);
    if (options_.capture) dicom.save_capture(named(".dcm"), drawn, i);
  }
}

void SaveHighlights::save_maps(Frame& frame, const HighlightAnswer& answer, bool shown) const {
  const bool one = answer.pictures.size() == 1;
  for (std::size_t i = 0; i < answer.pictures.size(); ++i)
    for (const HighlightMap& map : answer.pictures[i].maps) {
      const bool spread = map.kind == HighlightMap::Kind::spread;  // whose numbers are written with the probabilities
      const auto named = [&](const std::string& extension) {
        return one ? beside(frame.output, map.name + extension)
                   : beside(frame.output, "maps") / beside(fs::path(number_of(i) + ".json"), map.name + extension).filename();
      };
      if (shown)
        save_png(frame, named(spread ? ".overlay.png" : ".png"), map_overlay(answer.pictures[i], map, options_.map_opacity));
      if (!one || spread) continue;
      const fs::path raw = named(".npy");
      write_output(raw, [&] { write_heat_npy(raw, map.values); });
      frame.written.push_back(raw);
    }
}

// Numbers of maps of several pictures, 0 on those that have none of a name.
void SaveHighlights::save_map_volumes(Frame& frame, const HighlightAnswer& answer) const {
  for (const StackPart& part : parts_of(*answer.stack)) {
    std::set<std::string> names;
    for (std::size_t i = part.first; i < part.first + part.count; ++i)
      for (const HighlightMap& map : answer.pictures[i].maps)
        if (map.kind != HighlightMap::Kind::spread) names.insert(map.name);
    for (const std::string& name : names)
      write_volume(frame, beside(frame.output, part.prefix + name + ".nii.gz"), answer, part, 1, [&](const FoundPicture& p) {
        const auto map = std::find_if(p.maps.begin(), p.maps.end(), [&](const HighlightMap& m) { return m.name == name; });
        return map == p.maps.end() ? cv::Mat::zeros(p.shown.size(), CV_32F) : map->values;
      });
  }
}

void SaveHighlights::save_volumes(Frame& frame, const HighlightAnswer& answer) const {
  constexpr double kShare = 1 / 65535.0;
  for (const StackPart& part : parts_of(*answer.stack))
    for (std::size_t c = 0; c < classes_.size(); ++c) {
      const auto file = [&](const char* what) { return beside(frame.output, part.prefix + classes_[c] + what); };
      if (options_.mask)
        write_volume(frame, file(".mask.nii.gz"), answer, part, 1, [&](const FoundPicture& p) {
          cv::Mat mask = stored_mask(p.classes[c], objects_);
          return objects_ ? mask : cv::Mat(mask / 255);
        });
      if (options_.probability)
        write_volume(frame, file(".probability.nii.gz"), answer, part, kShare,
                     [&](const FoundPicture& p) { return p.classes[c].probability; });
      if ((options_.probability || options_.uncertainty) && !answer.pictures[0].classes[c].uncertainty.empty())
        write_volume(frame, file(".uncertainty.nii.gz"), answer, part, kShare,
                     [&](const FoundPicture& p) { return p.classes[c].uncertainty; });
    }
}

std::vector<std::string> SaveHighlights::showing_pixels(const HighlightAnswer& answer) const {
  std::vector<std::string> outputs;
  if (options_.overlay) outputs.emplace_back("overlay");
  if (options_.capture) outputs.emplace_back("sc");
  if (std::any_of(answer.pictures.begin(), answer.pictures.end(), [](const FoundPicture& p) { return !p.maps.empty(); }))
    outputs.emplace_back("maps over the picture");
  return outputs;
}

void SaveHighlights::save_answer(Frame& frame, const HighlightAnswer& answer, const std::string& burned_in) const {
  Json json = answer_json(frame, answer, classes_, precision_, options_);
  if (const auto outputs = showing_pixels(answer); !burned_in.empty() && !outputs.empty()) {
    json["withheld"] = {{"outputs", outputs}, {"reason", burned_in}};
    frame.notes.push_back(fmt::format("{}{}: {}; --allow-burned-in writes it", kWithheld, fmt::join(outputs, ", "), burned_in));
  }
  const std::string text = dump(json) + "\n";
  write_output(frame.output, [&] { write_file_atomically(frame.output, text.data(), text.size()); });
}

void SaveHighlights::process(std::span<Frame> frames) {
  for (Frame& frame : frames) {
    const HighlightAnswer answer = frame.results.take(kHighlighted);
    const bool one = answer.pictures.size() == 1;
    const std::string burned_in = options_.key && !options_.allow_burned_in ? answer.stack->burned_in() : std::string();
    DicomOutputs dicom(frame, answer, classes_, options_);
    if ((options_.overlay || options_.capture) && burned_in.empty()) save_overlays(frame, answer, dicom);
    if (one) save_picture(frame, answer.pictures[0]);
    if (!one || options_.nifti) save_volumes(frame, answer), save_map_volumes(frame, answer);
    dicom.save_volumes();
    save_maps(frame, answer, burned_in.empty());
    save_answer(frame, answer, burned_in);
  }
}

}  // namespace fovea
