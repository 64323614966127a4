// fovea data check SOURCE...: what is wrong with pictures and their boxes, as a table and as JSON.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/fovea/data.hpp"
#include "apps/fovea/findings.hpp"
#include "datasets/boxes/check.hpp"
#include "pipeline/errors.hpp"
#include "pipeline/sinks/progress.hpp"

namespace fovea {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kFooter =
    R"(SOURCE is a COCO file (.json), a folder of Pascal VOC (Annotations, JPEGImages, ImageSets), or a data.yaml or folder of
YOLO (images, labels).
Errors are what training would stumble over or leave out: unreadable and missing files, degenerate boxes, boxes beside their
picture, unknown classes, pictures of another size than the annotations say, pictures that are listed twice. Warnings: boxes
over the edge, duplicate boxes, classes without objects, and pictures that nearly equal one of an earlier split (of the same
view, at most a quarter moved out of it).
With --captions, SOURCE is a folder of Flickr8k (captions.txt, train.txt, dev.txt; images), or a .json file of captions of COCO or
in Karpathy's form. Errors are missing and unreadable pictures, pictures without captions, and lines that say nothing; warnings
are captions that a picture has twice, and pictures that nearly equal one of an earlier split.
Exit code 3 where there are errors.

Examples:
  fovea data check cells                                  (Pascal VOC with ImageSets/train.txt and val.txt)
  fovea data check train.json val.json --json findings.json
  fovea data check --captions flickr8k)";

struct Settings {
  BoxSources from;
  CaptionsSources captions;
  std::string json;
};

std::string counts_table(const BoxCheck& check) {
  std::size_t width = 5;
  for (const auto& part : check.parts) width = std::max(width, part.name.size());
  std::string text = fmt::format("{:<{}} {:>9} {:>9} {:>9} {:>9}\n", "split", width, "pictures", "empty", "objects", "ignored");
  for (const auto& p : check.parts)
    text += fmt::format("{:<{}} {:>9} {:>9} {:>9} {:>9}\n", printable(p.name), width, p.images, p.empty, p.objects, p.ignored);
  return text;
}

std::string classes_table(const BoxCheck& check) {
  std::size_t width = 5;
  for (const std::string& name : check.classes) width = std::max(width, std::min<std::size_t>(name.size(), 40));
  std::string text = fmt::format("{:<{}}", "class", width);
  for (const auto& part : check.parts)
    text += fmt::format(" {:>{}}", printable(part.name), std::max<std::size_t>(9, part.name.size()));
  text += "\n";
  for (std::size_t c = 0; c < check.classes.size(); ++c) {
    text += fmt::format("{:<{}}", printable(check.classes[c]), width);
    for (const auto& part : check.parts)
      text += fmt::format(" {:>{}}", part.of_class[c], std::max<std::size_t>(9, part.name.size()));
    text += "\n";
  }
  return text;
}

Json to_json(const BoxCheck& check) {
  Json splits = Json::array();
  for (const auto& p : check.parts) {
    Json objects = Json::object();
    for (std::size_t c = 0; c < check.classes.size(); ++c) objects[check.classes[c]] = p.of_class[c];
    splits.push_back({{"split", p.name},
                      {"pictures", p.images},
                      {"empty", p.empty},
                      {"objects", p.objects},
                      {"ignored", p.ignored},
                      {"of_class", objects}});
  }
  Json all{{"classes", check.classes}, {"splits", splits}};
  all.update(findings_json(check.findings));
  return all;
}

int run_check(const Settings& s) {
  if (s.captions.wanted && (!s.from.splits.empty() || !s.from.classes.empty() || s.from.one_based))
    throw UsageError("data check: --split, --classes and --one-based are for boxes; with --captions all splits are checked");
  if (s.captions.wanted) return check_captions(s.from.sources, s.captions, s.json);
  if (!s.captions.images.empty()) throw UsageError("data check: --images needs --captions");
  std::vector<BoxPart> parts = read_parts(s.from, false);
  for (BoxPart& part : parts) part.name = shown_name(part);
  const BoxCheck check = check_boxes(parts);
  std::cout << counts_table(check) << "\n" << classes_table(check);
  return tell_findings(check.findings, to_json(check), s.json);
}

}  // namespace

Command data_check_command() {
  auto s = std::make_shared<Settings>();
  Command c{"check", "Find what is wrong with pictures and their boxes or captions before a training does", kFooter};
  c.options.words("sources", s->from.sources,
                  "COCO files, folders of Pascal VOC, files or folders of YOLO; with --captions, of captions");
  c.options.require();
  s->from.add_options(c.options);
  c.options.flag("--one-based", s->from.one_based, "Corners of Pascal VOC count pixels from 1, the last one belongs to the box");
  c.options.flag("--captions", s->captions.wanted, "Check captions instead of boxes");
  c.options.word("--images", s->captions.images,
                 "With --captions: the folder of the pictures; unless given, images beside the file, or its own folder");
  c.options.output_file("--json", s->json, "Write all findings and counts as JSON");
  c.run = [s] { return run_check(*s); };
  return c;
}

}  // namespace fovea
