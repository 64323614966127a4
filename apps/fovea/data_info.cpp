// fovea data info SCAN...: what scans hold, and into which volumes their slices go. Of the patient only when asked.
#include <fmt/format.h>

#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/fovea/data.hpp"
#include "datasets/scans/patient.hpp"
#include "datasets/scans/volume.hpp"
#include "datasets/walk.hpp"
#include "modules/core/text.hpp"
#include "modules/io/files.hpp"
#include "pipeline/exit_codes.hpp"
#include "pipeline/file_run.hpp"
#include "pipeline/sinks/ledger_json.hpp"

namespace fovea {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kFooter =
    R"(SCAN is a DICOM file, a NIfTI file (.nii, .nii.gz), or a folder, of which all files are tried, whatever they are called.
Prints how the pixels are stored, their units, their size in millimetres and where they lie in the patient, and how slices form volumes.
Names, birth dates and identifiers are left out unless --show-patient asks for them. For research, not for diagnosis.
Exit code 3 where a file could not be read.

Examples:
  fovea data info scan.dcm
  fovea data info study --json study.json)";

struct Settings {
  std::vector<std::string> scans;
  std::string json;
  bool show_patient = false;
};

std::string vector_text(const Vec3& v) { return fmt::format("{:.6g}, {:.6g}, {:.6g}", v[0], v[1], v[2]); }

struct Range {
  double low = 0, high = 0;
};

// Of the first frame: it also shows that the pixels can be decoded.
std::optional<Range> range_of(const Scan& scan) {
  const cv::Mat pixels = scan.frame(0);
  if (pixels.channels() != 1) return std::nullopt;
  Range r{INFINITY, -INFINITY};
  for (int y = 0; y < pixels.rows; ++y)
    for (int x = 0; x < pixels.cols; ++x)
      if (const double v = pixels.at<float>(y, x); std::isfinite(v)) r = {std::min(r.low, v), std::max(r.high, v)};
  if (r.low > r.high) return std::nullopt;
  return r;
}

void add_line(std::string& text, const char* name, const std::string& value) {
  if (!value.empty()) text += fmt::format("  {:<10}{}\n", name, printable(value));
}

std::string joined(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts)
    if (!part.empty()) all += (all.empty() ? "" : ", ") + part;
  return all;
}

std::string spacing_text(const PixelSpacing& s) {
  return fmt::format("{:.6g} x {:.6g} mm from row to row and column to column{}", s.rows, s.columns,
                     s.at_detector ? ", at the detector, uncalibrated" : "");
}

std::string text_of(const ScanFile& f, const std::optional<Range>& range) {
  const ScanInfo& i = f.info;
  const FrameInfo& first = f.frames.front();
  std::string text = printable(f.file.string()) + "\n";
  add_line(text, "format", joined({i.format, i.kind, i.transfer_syntax}));
  add_line(text, "content", joined({i.modality, i.body_part, i.view, i.laterality}));
  add_line(text, "pixels",
           fmt::format("{}x{}{}, {} bits{}, {}", i.columns, i.rows, i.frames > 1 ? fmt::format(", {} frames", i.frames) : "",
                       i.bits_stored, i.is_signed ? " with sign" : "", i.photometric));
  if (range)
    add_line(text, "values",
             fmt::format("{:.6g} to {:.6g}{}{} (stored * {:.6g} + {:.6g})", range->low, range->high, i.unit.empty() ? "" : " ",
                         i.unit, first.slope, first.intercept));
  add_line(text, "spacing", first.spacing ? spacing_text(*first.spacing) : "not said: lengths are in pixels");
  if (i.slice_thickness) add_line(text, "thickness", fmt::format("{:.6g} mm", *i.slice_thickness));
  if (first.plane)
    add_line(text, "place",
             fmt::format("{} mm; columns run along {}, rows along {}", vector_text(first.plane->origin),
                         vector_text(first.plane->along_columns), vector_text(first.plane->along_rows)));
  for (const Window& w : first.windows)
    add_line(text, "window", fmt::format("{:.6g}:{:.6g}{}{}", w.width, w.level, w.name.empty() ? "" : " ", w.name));
  if (i.burned_in && *i.burned_in) add_line(text, "note", "text is burned into its pixels");
  for (const std::string& note : i.notes) add_line(text, "note", note);
  return text;
}

Json json_of(const ScanFile& f, const std::optional<Range>& range) {
  const ScanInfo& i = f.info;
  Json j;
  put_name(j, "file", f.file.string());
  for (const auto& [name, value] : {std::pair<const char*, const std::string&>{"format", i.format},
                                    {"kind", i.kind},
                                    {"transfer_syntax", i.transfer_syntax},
                                    {"modality", i.modality},
                                    {"body_part", i.body_part},
                                    {"view", i.view},
                                    {"laterality", i.laterality},
                                    {"unit", i.unit},
                                    {"photometric", i.photometric}})
    if (!value.empty()) j[name] = value;
  j["rows"] = i.rows, j["columns"] = i.columns, j["frames"] = i.frames, j["bits"] = i.bits_stored, j["signed"] = i.is_signed;
  if (range) j["range"] = Json::array({range->low, range->high});
  if (i.slice_thickness) j["slice_thickness"] = *i.slice_thickness;
  if (i.padding) j["padding"] = *i.padding;
  if (i.burned_in) j["burned_in_annotation"] = *i.burned_in;
  Json& frames = j["frame"] = Json::array();
  for (const FrameInfo& about : f.frames) {
    Json frame{{"slope", about.slope}, {"intercept", about.intercept}};
    if (about.spacing)
      frame["spacing"] = {
          {"rows", about.spacing->rows}, {"columns", about.spacing->columns}, {"at_detector", about.spacing->at_detector}};
    if (about.plane)
      frame["position"] = about.plane->origin, frame["along_columns"] = about.plane->along_columns,
      frame["along_rows"] = about.plane->along_rows;
    for (const Window& w : about.windows) frame["windows"].push_back({{"width", w.width}, {"level", w.level}, {"name", w.name}});
    frames.push_back(std::move(frame));
  }
  if (!i.notes.empty()) j["notes"] = i.notes;
  return j;
}

std::string text_of(const Volume& v) {
  std::string text = fmt::format("volume of {} slices of {}x{}{}\n", v.slices.size(), v.columns, v.rows,
                                 v.step ? fmt::format(", {:.6g} mm apart", *v.step) : "");
  for (const std::string& note : v.notes) add_line(text, "note", note);
  return text;
}

Json json_of(const Volume& v) {
  Json j{{"rows", v.rows}, {"columns", v.columns}};
  if (v.step) j["step"] = *v.step;
  Json& slices = j["slices"] = Json::array();
  for (const Slice& s : v.slices) {
    Json slice;
    put_name(slice, "file", s.file.string());
    slice["frame"] = s.frame;
    slices.push_back(std::move(slice));
  }
  if (!v.notes.empty()) j["notes"] = v.notes;
  return j;
}

// Hidden files are left out of folders, as everywhere.
std::vector<fs::path> files_of(const std::vector<std::string>& inputs) {
  std::vector<fs::path> files;
  const auto add_below = [&](const fs::path& folder, const auto& self) -> void {
    for (const fs::path& entry : entries_of(folder)) {
      if (fs::is_directory(entry)) self(entry, self);
      else if (fs::is_regular_file(entry)) files.push_back(entry);
    }
  };
  for (const std::string& input : inputs) {
    if (fs::is_directory(input)) add_below(input, add_below);
    else files.emplace_back(input);
  }
  return files;
}

struct Findings {
  std::vector<ScanFile> scans;
  Json described = Json::array(), refused = Json::array();
};

void read_one(const fs::path& file, bool show_patient, Findings& findings) {
  try {
    const auto scan = open_scan(file);
    const auto range = range_of(*scan);
    ScanFile about = describe(*scan, file);
    std::string text = text_of(about, range);
    Json json = json_of(about, range);
    if (show_patient)
      for (const auto& [name, value] : read_patient(file)) add_line(text, name.c_str(), value), json["patient"][name] = value;
    std::cout << text;
    findings.described.push_back(std::move(json));
    findings.scans.push_back(std::move(about));
  } catch (const Error& e) {
    std::cerr << "fovea: " << printable(e.what()) << "\n";
    Json one;
    put_name(one, "file", file.string());
    one["reason"] = without_name(e.what(), file.string());
    findings.refused.push_back(std::move(one));
  }
}

int run_info(const Settings& s) {
  Findings findings;
  for (const fs::path& file : files_of(s.scans)) read_one(file, s.show_patient, findings);
  Json volumes = Json::array();
  for (const Volume& v : sort_into_volumes(findings.scans))
    if (v.slices.size() > 1) {
      std::cout << text_of(v);
      volumes.push_back(json_of(v));
    }
  if (!s.json.empty()) {
    const Json all{{"scans", findings.described}, {"volumes", volumes}, {"refused", findings.refused}};
    write_file_atomically(s.json, all.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  }
  return findings.refused.empty() ? kExitDone : kExitQuarantined;
}

}  // namespace

Command data_info_command() {
  auto s = std::make_shared<Settings>();
  Command c{"info", "Tell how scans (DICOM, NIfTI) are stored, what their pixels measure and where they lie", kFooter};
  c.options.words("scans", s->scans, "Files and folders");
  c.options.require();
  c.options.flag("--show-patient", s->show_patient, "Names, dates and identifiers too, as the file has them");
  c.options.output_file("--json", s->json, "Write all of it as JSON");
  c.run = [s] { return run_info(*s); };
  return c;
}

}  // namespace fovea
