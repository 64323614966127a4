// fovea data check|convert|show: pictures with boxes, before anything learns from them; info: scans.
#include "apps/fovea/data.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <sstream>

#include "datasets/boxes/voc.hpp"
#include "pipeline/errors.hpp"
#include "pipeline/file_run.hpp"
#include "pipeline/sinks/progress.hpp"

namespace fovea {
namespace {

namespace fs = std::filesystem;

void add_list(OptionList& options, const std::string& names, std::vector<std::string>& values, const std::string& text) {
  Option option;
  option.names = names;
  option.text = text;
  option.kind = Option::Kind::words;
  options.add(option, [&values](const std::string& words) {
    std::istringstream each(words);
    for (std::string word; std::getline(each, word, ',');)
      if (!word.empty()) values.push_back(word);
  });
}

struct Place {
  std::string source, split;
  bool voc = false;
};

std::vector<Place> places_of(const BoxSources& s) {
  std::vector<Place> places;
  for (const std::string& source : s.sources) {
    const bool voc = box_format(source) == BoxFormat::voc;
    std::vector<std::string> splits = s.splits.empty() ? box_parts(source) : s.splits;
    if (splits.empty()) splits.emplace_back();
    for (const std::string& split : splits) places.push_back({source, split, voc});
  }
  return places;
}

BoxPart read_part(const Place& place, const BoxSources& s, const std::vector<std::string>& classes) {
  const std::string name = s.sources.size() == 1 ? place.split
                           : place.split.empty() ? place.source
                                                 : place.source + " " + place.split;
  if (place.voc) return {name, read_voc(place.source, place.split, classes, {.one_based = s.one_based})};
  return {name, read_boxes(place.source, place.split, classes)};
}

bool differ(const std::vector<BoxPart>& parts) {
  return std::any_of(parts.begin(), parts.end(), [&](const BoxPart& p) { return p.data.classes != parts.front().data.classes; });
}

std::vector<std::string> all_classes(const std::vector<BoxPart>& parts, bool sorted) {
  std::vector<std::string> all;
  for (const BoxPart& part : parts)
    for (const std::string& name : part.data.classes)
      if (std::find(all.begin(), all.end(), name) == all.end()) all.push_back(name);
  if (sorted) std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

void BoxSources::add_options(OptionList& options) {
  add_list(options, "--split", splits,
           "Lists of ImageSets (Pascal VOC) or keys of a data.yaml (YOLO); unless given, train, val and test where the source "
           "names them, "
           "else all of it");
  add_list(options, "--classes", classes,
           "The classes in the order of their numbers, with commas between; unless given, the source's");
}

std::vector<BoxPart> read_parts(const BoxSources& s, bool same_classes) {
  const std::vector<Place> places = places_of(s);
  const bool voc = std::all_of(places.begin(), places.end(), [](const Place& p) { return p.voc; });
  if (s.one_based && std::none_of(places.begin(), places.end(), [](const Place& p) { return p.voc; }))
    throw UsageError("--one-based: expected a source of Pascal VOC");
  std::vector<BoxPart> parts;
  for (const Place& place : places) parts.push_back(read_part(place, s, s.classes));
  if (!s.classes.empty() || !(same_classes || voc) || !differ(parts)) return parts;
  const std::vector<std::string> classes = all_classes(parts, voc);
  parts.clear();
  for (const Place& place : places) parts.push_back(read_part(place, s, classes));
  return parts;
}

std::string shown_name(const BoxPart& part) { return part.name.empty() ? "all" : part.name; }

bool tell_left_out(const std::vector<BoxPart>& parts, bool classes_chosen) {
  constexpr std::size_t kShown = 20;
  std::vector<std::string> lines;
  std::size_t others = 0, skipped = 0;
  for (const BoxPart& part : parts) {
    for (const AnnotationFault& f : part.data.faults) {
      if (classes_chosen && f.kind == AnnotationFault::Kind::unknown_class) ++others;
      else lines.push_back(f.file.string() + ": " + f.reason);
    }
    for (const BadFile& b : part.data.bad) {
      lines.push_back(b.file.string() + ": " + without_name(b.reason, b.file.string()));
      skipped += b.fault == Fault::skipped;
    }
  }
  for (std::size_t i = 0; i < lines.size() && i < kShown; ++i) std::cerr << "fovea: left out: " << printable(lines[i]) << "\n";
  if (lines.size() > kShown)
    std::cerr << "fovea: left out: " << lines.size() - kShown << " more; fovea data check --json lists them\n";
  if (others > 0) std::cerr << "fovea: left out: other classes than the chosen ones, in " << others << " places\n";
  return lines.size() > skipped;
}

Command data_command() {
  Command c{"data", "Check, convert and show pictures with boxes: COCO, Pascal VOC and YOLO; tell what scans hold"};
  c.run = []() -> int { throw UsageError("data: expected check, convert, show or info\nRun with --help for more information."); };
  c.subcommands = {data_check_command(), data_convert_command(), data_show_command(), data_info_command()};
  return c;
}

}  // namespace fovea
