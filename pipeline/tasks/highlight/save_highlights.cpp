#include <fmt/format.h>

#include <map>
#include <set>

#include "datasets/scans/dicom_capture.hpp"
#include "datasets/scans/dicom_segmentation.hpp"
#include "datasets/scans/header.hpp"
#include "datasets/scans/nifti_write.hpp"
#include "modules/core/dtype.hpp"
#include "modules/io/files.hpp"
#include "pipeline/output_names.hpp"
#include "pipeline/sinks/heatmap.hpp"
#include "pipeline/sinks/ledger_json.hpp"
#include "pipeline/stages/save.hpp"
#include "pipeline/tasks/highlight/stages.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::ordered_json;

// Of one volume of the stack: its pictures, and where they lie.
struct Part {
  std::size_t first = 0, count = 1;
  std::string prefix;  // of names where there are several: "2."
};

std::vector<Part> parts_of(const ImageStack& stack) {
  std::vector<Part> parts;
  std::size_t first = 0;
  for (std::size_t v = 0; v < stack.volumes().size(); ++v) {
    const auto count = static_cast<std::size_t>(stack.volumes()[v]);
    parts.push_back({first, count, v == 0 ? std::string() : std::to_string(v + 1) + "."});
    first += count;
  }
  return parts;
}

cv::Mat stored_mask(const FoundClass& found, bool objects) {
  cv::Mat out;
  if (objects) found.regions.convertTo(out, CV_16U);
  else out = found.regions != 0;
  return out;
}

NiftiGeometry geometry_of(const ImageStack& stack, const Part& part, cv::Size size) {
  const Slice& first = stack.slice(static_cast<int>(part.first));
  return {size.width, size.height, static_cast<int>(part.count), first.about.spacing, first.about.plane, stack.step()};
}

// One volume of one class.
void write_volume(Frame& frame, const fs::path& file, const HighlightAnswer& answer, const Part& part, double scale,
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

Json picture_json(const HighlightAnswer& answer, std::size_t i, const std::vector<std::string>& classes, double sure) {
  const Slice& slice = answer.stack->slice(static_cast<int>(i));
  const FoundPicture& found = answer.pictures[i];
  Json json;
  put_name(json, "file", slice.file.filename().string());
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
    for (const RegionMeasure& m : found.classes[c].measures) regions.push_back(region_json(m, slice, unit, sure));
    json["classes"].push_back({{"class", classes[c]}, {"regions", std::move(regions)}});
    put_score(json["classes"].back(), found.classes[c].score);
  }
  return json;
}

// Over all pictures. Volumes in mm3 where the slices of one volume have a spacing and a step.
Json total_json(const HighlightAnswer& answer, std::size_t c, const std::string& name) {
  double pixels = 0, mm2 = 0, weighted = 0;
  std::set<int> numbers;
  bool in_mm = true;
  for (const FoundPicture& p : answer.pictures)
    for (const RegionMeasure& m : p.classes[c].measures) {
      pixels += m.pixels, weighted += m.pixels * m.confidence, numbers.insert(m.number);
      in_mm = in_mm && m.area_mm2.has_value(), mm2 += m.area_mm2.value_or(0);
    }
  Json json{{"class", name}, {"regions", numbers.size()}, {"pixels", pixels}};
  put_score(json, total_score(answer, c));
  if (pixels == 0) return json;
  json["confidence"] = weighted / pixels;
  const bool volume = answer.stack->volumes().size() == 1 && answer.pictures.size() > 1;
  if (in_mm && answer.pictures.size() == 1) json["area_mm2"] = mm2;
  if (in_mm && volume && answer.stack->step()) json["volume_mm3"] = mm2 * *answer.stack->step();
  return json;
}

bool is_dicom_stack(const ImageStack& stack) { return stack.is_scan() && stack.info().format == "DICOM"; }

// What files say of themselves, each read once: one may hold hundreds of slices.
class Headers {
 public:
  const std::string& of(const fs::path& file) {
    const auto [place, fresh] = read_.try_emplace(file);
    if (fresh) place->second = read_header(file);
    return place->second;
  }

 private:
  std::map<fs::path, std::string> read_;
};

// A source that nothing can refer to is no reason to lose the rest: it is noted.
void save_object(Frame& frame, const fs::path& file, const char* kind, const std::function<void(const fs::path&)>& write) {
  try {
    write_output(file, [&] { write(file); });
    frame.written.push_back(file);
  } catch (const FileError&) { throw; } catch (const EnvironmentError&) {
    throw;
  } catch (const Error& e) { frame.notes.push_back(std::string("no DICOM ") + kind + ": " + e.what()); }
}

std::string number_of(std::size_t i) { return fmt::format("{:04}", i + 1); }

}  // namespace

Json highlight_json(const Frame& frame, const HighlightAnswer& answer, const std::vector<std::string>& classes, DType precision,
                    double sure) {
  Json json;
  put_name(json, "file", frame.source);
  json["precision"] = name_of(precision);
  json["use"] = kResearchOnly;
  if (answer.forced) json["forced"] = "the model was not made for this kind of picture";
  if (answer.stack->is_scan()) json["modality"] = answer.stack->info().modality;
  for (std::size_t c = 0; c < classes.size(); ++c) json["classes"].push_back(total_json(answer, c, classes[c]));
  for (std::size_t i = 0; i < answer.pictures.size(); ++i) json["pictures"].push_back(picture_json(answer, i, classes, sure));
  return json;
}

void SaveHighlights::save_picture(Frame& frame, const FoundPicture& found) const {
  for (std::size_t c = 0; c < classes_.size(); ++c) {
    const FoundClass& k = found.classes[c];
    if (options_.mask) save_png(frame, beside(frame.output, classes_[c] + ".mask.png"), stored_mask(k, false));
    if (options_.mask && objects_) save_png(frame, beside(frame.output, classes_[c] + ".objects.png"), stored_mask(k, true));
    if (options_.probability) save_png(frame, beside(frame.output, classes_[c] + ".probability.png"), k.probability);
    if (options_.probability && !k.uncertainty.empty())
      save_png(frame, beside(frame.output, classes_[c] + ".uncertainty.png"), k.uncertainty);
  }
}

void SaveHighlights::save_overlays(Frame& frame, const HighlightAnswer& answer) const {
  const bool one = answer.pictures.size() == 1, captures = options_.capture && is_dicom_stack(*answer.stack);
  const CaptureSeries series{captures ? new_series_uid() : "", kResearchOnly, FOVEA_VERSION, options_.model};
  Headers headers;
  for (std::size_t i = 0; i < answer.pictures.size(); ++i) {
    const Slice& slice = answer.stack->slice(static_cast<int>(i));
    const cv::Mat drawn = highlight_overlay(answer.pictures[i], slice, classes_, options_.drawing, answer.forced);
    const auto named = [&](const std::string& extension) {
      return one ? beside(frame.output, "overlay" + extension) : beside(frame.output, "overlays") / (number_of(i) + extension);
    };
    if (options_.overlay) save_png(frame, named(".png"), drawn);
    if (captures)
      save_object(frame, named(".dcm"), "secondary capture", [&](const fs::path& file) {
        write_capture(file, drawn, headers.of(slice.file), slice.frame, series, static_cast<int>(i) + 1);
      });
  }
}

void SaveHighlights::save_maps(Frame& frame, const HighlightAnswer& answer) const {
  const bool one = answer.pictures.size() == 1;
  for (std::size_t i = 0; i < answer.pictures.size(); ++i)
    for (const HighlightMap& map : answer.pictures[i].maps) {
      const auto named = [&](const char* extension) {
        return one ? beside(frame.output, map.name + extension)
                   : beside(frame.output, "maps") / beside(fs::path(number_of(i) + ".json"), map.name + extension).filename();
      };
      save_png(frame, named(".png"), map_overlay(answer.pictures[i], map.values, options_.map_opacity));
      const fs::path raw = named(".npy");
      write_output(raw, [&] { write_heat_npy(raw, map.values); });
      frame.written.push_back(raw);
    }
}

void SaveHighlights::save_volumes(Frame& frame, const HighlightAnswer& answer) const {
  constexpr double kShare = 1 / 65535.0;
  for (const Part& part : parts_of(*answer.stack))
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
      if (options_.probability && !answer.pictures[0].classes[c].uncertainty.empty())
        write_volume(frame, file(".uncertainty.nii.gz"), answer, part, kShare,
                     [&](const FoundPicture& p) { return p.classes[c].uncertainty; });
    }
}

// One object a volume.
void SaveHighlights::save_segmentations(Frame& frame, const HighlightAnswer& answer) const {
  if (!is_dicom_stack(*answer.stack)) return;
  std::vector<CodedSegment> segments;
  for (std::size_t c = 0; c < classes_.size(); ++c) segments.push_back({classes_[c].substr(0, 64), options_.codes[c]});
  const SegmentationOptions options{options_.fractional, options_.model, kResearchOnly, FOVEA_VERSION};
  Headers headers;
  for (const Part& part : parts_of(*answer.stack)) {
    std::vector<SourceFrame> sources;
    std::vector<std::vector<cv::Mat>> masks(classes_.size());
    for (std::size_t i = part.first; i < part.first + part.count; ++i) {
      const Slice& slice = answer.stack->slice(static_cast<int>(i));
      sources.push_back({headers.of(slice.file), slice.frame, slice.about});
      for (std::size_t c = 0; c < classes_.size(); ++c) masks[c].push_back(segment_of(answer.pictures[i].classes[c]));
    }
    save_object(frame, beside(frame.output, part.prefix + "seg.dcm"), "segmentation",
                [&](const fs::path& file) { write_segmentation(file, sources, segments, masks, options); });
  }
}

// Probabilities in steps of 1/255, or the mask.
cv::Mat SaveHighlights::segment_of(const FoundClass& found) const {
  cv::Mat out;
  if (options_.fractional) found.probability.convertTo(out, CV_8U, 1 / 257.0);
  else out = found.regions != 0;
  return out;
}

void SaveHighlights::process(std::span<Frame> frames) {
  for (Frame& frame : frames) {
    const HighlightAnswer answer = frame.results.take(kHighlighted);
    const bool one = answer.pictures.size() == 1;
    if (options_.overlay || options_.capture) save_overlays(frame, answer);
    if (one) save_picture(frame, answer.pictures[0]);
    if (!one || options_.nifti) save_volumes(frame, answer);
    if (options_.segmentation) save_segmentations(frame, answer);
    save_maps(frame, answer);
    const std::string text = dump(highlight_json(frame, answer, classes_, precision_, options_.drawing.sure)) + "\n";
    write_output(frame.output, [&] { write_file_atomically(frame.output, text.data(), text.size()); });
  }
}

}  // namespace fovea
