// fovea data convert SOURCE --to FORMAT -o OUT: boxes in one of the formats become boxes in another.
#include <fmt/format.h>

#include <iostream>
#include <map>
#include <optional>
#include <set>

#include "apps/fovea/data.hpp"
#include "datasets/boxes/coco.hpp"
#include "datasets/boxes/reading.hpp"
#include "datasets/boxes/voc.hpp"
#include "datasets/boxes/yolo.hpp"
#include "datasets/picture_size.hpp"
#include "modules/io/files.hpp"
#include "pipeline/errors.hpp"
#include "pipeline/exit_codes.hpp"
#include "pipeline/sinks/progress.hpp"

namespace fovea {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFooter =
    R"(OUT is a folder that is not there or empty; with --to coco it may be a file (.json), too, where there is one split.
Pictures stay where they are: COCO and Pascal VOC get their paths, YOLO looks for them in OUT/images. --copy-images puts them
into OUT as the format has it; of several with one name the later ones get a number. What cannot be converted is said: boxes without area,
unreadable lines; for YOLO ignored objects, which it cannot hold; for Pascal VOC and YOLO the areas of masks.

Examples:
  fovea data convert cells --to coco -o cells-coco                       (train.json and val.json)
  fovea data convert instances_val2017.json --to yolo -o coco-yolo --copy-images --classes person,dog)";

struct Settings {
  BoxSources from;
  std::string source, to, out;
  bool one_based = false, copy_images = false;

  bool to_file() const { return to == "coco" && fs::path(out).extension() == ".json"; }
  // Of the output's Pascal VOC: the flag is the source's where that is one, too.
  bool one_based_out() const { return one_based && !from.one_based; }
};

void check_out(const Settings& s) {
  std::error_code ignored;
  if (s.to_file()) {
    if (s.copy_images) throw UsageError("--copy-images: expected a folder for -o, got the file " + s.out);
    const fs::path folder = fs::absolute(s.out).parent_path();
    if (!fs::is_directory(folder, ignored)) throw UsageError("-o " + s.out + ": there is no folder " + folder.string());
    if (fs::equivalent(s.out, s.source, ignored)) throw UsageError("-o " + s.out + ": expected another file than the source");
  } else if (fs::exists(s.out, ignored) && (!fs::is_directory(s.out, ignored) || !fs::is_empty(s.out, ignored))) {
    throw UsageError("-o " + s.out + ": expected a folder that is not there or empty");
  }
}

// Where a picture of the part lies in OUT.
fs::path folder_of(const Settings& s, const BoxPart& part) {
  const fs::path out = s.out;
  return s.to == "voc" ? out / "JPEGImages" : s.to == "yolo" ? out / "images" / part.name : out / "images";
}

class Copies {
 public:
  // Writes the picture into the folder once. Gives where it lies then.
  fs::path add(const fs::path& picture, const std::vector<std::uint8_t>& bytes, const fs::path& folder) {
    const auto [copy, fresh] = copies_.emplace(std::pair(folder, picture), fs::path());
    if (!fresh) return copy->second;
    copy->second = folder / free_name(folder, picture);
    fs::create_directories(folder);
    write_file_atomically(copy->second, bytes.data(), bytes.size());
    return copy->second;
  }

 private:
  // Labels are found by names without extension: these differ.
  std::string free_name(const fs::path& folder, const fs::path& picture) {
    const std::string stem = picture.stem().string(), extension = picture.extension().string();
    std::string name = stem;
    for (int number = 2; !stems_[folder].insert(name).second; ++number) name = stem + "-" + std::to_string(number);
    return name + extension;
  }

  std::map<std::pair<fs::path, fs::path>, fs::path> copies_;
  std::map<fs::path, std::set<std::string>> stems_;
};

// What an output needs of the picture itself; nothing where that cannot be had, which is said.
std::optional<std::vector<std::uint8_t>> read_or_tell(const Settings& s, AnnotatedImage& image) try {
  const bool sized = !image.size.empty() || s.to == "voc";
  if (sized && !s.copy_images) return std::vector<std::uint8_t>();
  check_no_pipe(image.file);
  auto bytes = read_file(image.file);
  if (!sized) image.size = picture_size(bytes, image.file.string());
  return bytes;
} catch (const std::exception& e) {
  std::cerr << "fovea: left out: " << printable(bad_file(image.file, e).reason) << "\n";
  return std::nullopt;
}

// Pictures without a known size, which COCO and YOLO need, and those that cannot be copied are left out. Whether there are any.
bool prepare_pictures(const Settings& s, BoxPart& part, Copies& copies) {
  std::vector<AnnotatedImage> kept;
  for (AnnotatedImage& image : part.data.images) {
    const auto bytes = read_or_tell(s, image);
    if (!bytes) continue;
    if (s.copy_images) image.file = copies.add(image.file, *bytes, folder_of(s, part));
    kept.push_back(std::move(image));
  }
  const bool left_out = kept.size() < part.data.images.size();
  part.data.images = std::move(kept);
  return left_out;
}

void write(const Settings& s, const std::vector<BoxPart>& parts) {
  if (s.to == "voc") return write_voc(s.out, parts, {.one_based = s.one_based_out()});
  if (s.to == "yolo") return write_yolo(s.out, parts);
  if (s.to_file()) return write_coco(s.out, parts.front().data);
  fs::create_directories(s.out);
  for (const BoxPart& part : parts)
    write_coco(fs::path(s.out) / ((part.name.empty() ? "annotations" : part.name) + ".json"), part.data);
}

// What the format does not hold.
void tell_lost(const Settings& s, const std::vector<BoxPart>& parts) {
  std::size_t ignored = 0, areas = 0;
  for (const BoxPart& part : parts)
    for (const AnnotatedImage& image : part.data.images)
      for (const Annotation& a : image.annotations) ignored += a.ignored, areas += a.area >= 0 && a.area != a.box.area();
  if (s.to == "yolo" && ignored > 0) std::cerr << "fovea: left out: " << ignored << " ignored objects, which YOLO cannot hold\n";
  if (s.to != "coco" && areas > 0) std::cerr << "fovea: left out: the areas of " << areas << " masks\n";
  if (s.to == "yolo" && !s.copy_images)
    for (const BoxPart& part : parts)
      std::cerr << "fovea: YOLO looks for the pictures in " << folder_of(s, part).string()
                << ": copy or link them (--copy-images)\n";
}

void print_counts(const BoxPart& part) {
  std::size_t objects = 0, ignored = 0;
  for (const AnnotatedImage& image : part.data.images)
    for (const Annotation& a : image.annotations) ++(a.ignored ? ignored : objects);
  std::cout << fmt::format("{}: {} pictures, {} objects, {} ignored, {} classes\n", printable(shown_name(part)),
                           part.data.images.size(), objects, ignored, part.data.classes.size());
}

int run_convert(Settings& s) {
  check_out(s);
  const bool voc = box_format(s.source) == BoxFormat::voc;
  if (s.one_based && !voc && s.to != "voc") throw UsageError("--one-based: expected Pascal VOC as the source or the output");
  s.from.sources = {s.source};
  s.from.one_based = s.one_based && voc;
  std::vector<BoxPart> parts = read_parts(s.from, true);
  if (s.to_file() && parts.size() > 1)
    throw UsageError(fmt::format("-o {}: expected a folder for {} splits, or one of them by --split", s.out, parts.size()));
  bool left_out = tell_left_out(parts, !s.from.classes.empty());
  Copies copies;
  for (BoxPart& part : parts) left_out = prepare_pictures(s, part, copies) || left_out;
  write(s, parts);
  for (const BoxPart& part : parts) print_counts(part);
  tell_lost(s, parts);
  return left_out ? kExitQuarantined : kExitDone;
}

}  // namespace

Command data_convert_command() {
  auto s = std::make_shared<Settings>();
  Command c{"convert", "Write boxes in another format", kFooter};
  c.options.word("source", s->source, "COCO file, folder of Pascal VOC, file or folder of YOLO");
  c.options.require();
  c.options.word("--to", s->to, "Format to write", {"coco", "voc", "yolo"});
  c.options.require();
  c.options.word("-o,--out", s->out, "Folder to make, or file");
  c.options.require();
  s->from.add_options(c.options);
  c.options.flag(
      "--one-based", s->one_based,
      "Corners of Pascal VOC count pixels from 1, the last one belongs to the box: of the source where it is one, else of OUT");
  c.options.flag("--copy-images", s->copy_images, "Copy the pictures into OUT");
  c.run = [s] { return run_convert(*s); };
  return c;
}

}  // namespace fovea
