#include "datasets/boxes/voc.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <pugixml.hpp>
#include <set>

#include "datasets/boxes/reading.hpp"
#include "datasets/image.hpp"
#include "datasets/walk.hpp"
#include "modules/core/json.hpp"
#include "modules/io/files.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostXml = std::size_t{8} << 20, kMostList = std::size_t{16} << 20;
constexpr int kMostDepth = 32;

struct Object {
  std::string what, name;  // "object 3", "RBC"
  Annotation annotation;   // without a label
};

// One XML file. Its picture holds no annotations yet.
struct File {
  AnnotatedImage image;
  fs::path filename, path;
  std::vector<Object> objects;
};

// Text that is no number becomes a reason, which opens with the object's number.
double number_in(const pugi::xml_node& parent, const char* name, const std::string& what) {
  const pugi::xml_node node = parent.child(name);
  check(node, what, ": it has no <", name, "> in its <", parent.name(), ">");
  const auto value = number_of(node.child_value());
  check(value.has_value(), what, ": <", name, ">: expected a number, got ", shown(trimmed(node.child_value())));
  return *value;
}

class XmlReader {
 public:
  XmlReader(const fs::path& file, const VocOptions& options, std::vector<AnnotationFault>& faults)
      : options_(options), faults_(faults) {
    read_.image.source = file;
    parse(read_text(file, kMostXml));
  }

  File read() {
    const pugi::xml_node root = document_.child("annotation");
    check(root, where(), ": expected the element <annotation>, got ", shown(document_.document_element().name()));
    read_.filename = fs::path(std::string(trimmed(root.child_value("filename"))));
    read_.path = fs::path(std::string(trimmed(root.child_value("path"))));
    read_size(root.child("size"));
    const std::size_t before = faults_.size();
    std::size_t number = 0;
    for (const pugi::xml_node& object : root.children("object")) {
      try {
        read_object(object, "object " + std::to_string(++number));
      } catch (const Error& e) { faults_.push_back({read_.image.source, e.what()}); }
      if (faults_.size() - before > kMostFaults)
        fail(where(), ": more than ", kMostFaults, " unreadable objects, the first: ", faults_[before].reason);
    }
    return std::move(read_);
  }

 private:
  std::string where() const { return read_.image.source.string(); }

  void parse(const std::string& text) {
    const auto result = document_.load_buffer(text.data(), text.size(), pugi::parse_default | pugi::parse_doctype);
    check(result.status == pugi::status_ok, where(), ": it is not XML: ", result.description(), " at byte ", result.offset);
    check_tree();
  }

  // From node to node instead of by recursion, which deep trees would end.
  void check_tree() const {
    int depth = 0;
    for (pugi::xml_node node = document_.first_child(); node;) {
      check(node.type() != pugi::node_doctype, where(), ": a document type declaration (<!DOCTYPE>) is not read; remove it");
      check(depth < kMostDepth, where(), ": XML nested deeper than ", kMostDepth);
      if (node.first_child()) {
        node = node.first_child(), ++depth;
        continue;
      }
      while (node && !node.next_sibling()) node = node.parent(), --depth;
      node = node.next_sibling();
    }
  }

  void read_size(const pugi::xml_node& size) {
    if (!size) return;
    constexpr double kMostSide = 1 << 30;
    try {
      const double width = number_in(size, "width", "size"), height = number_in(size, "height", "size");
      if (width == 0 && height == 0) return;  // what tools write that did not look at the picture
      check(width >= 1 && width <= kMostSide && height >= 1 && height <= kMostSide,
            "size: expected a width and a height in pixels, got ", width, " and ", height);
      read_.image.size = {static_cast<int>(width), static_cast<int>(height)};
    } catch (const Error& e) { faults_.push_back({read_.image.source, e.what()}); }
  }

  void read_object(const pugi::xml_node& object, const std::string& what) {
    Object o{what, std::string(trimmed(object.child_value("name"))), {}};
    check(!o.name.empty() && is_utf8(o.name), what, ": expected a <name> in UTF-8, got ",
          o.name.empty() ? "none" : "other bytes");
    const pugi::xml_node box = object.child("bndbox");
    check(box, what, " ", shown(o.name), ": it has no <bndbox>");
    const double first = options_.one_based ? 1 : 0;
    o.annotation.box = {number_in(box, "xmin", what) - first, number_in(box, "ymin", what) - first, number_in(box, "xmax", what),
                        number_in(box, "ymax", what)};
    const std::string_view difficult = trimmed(object.child_value("difficult"));
    o.annotation.ignored = difficult == "1" || difficult == "true";
    if (auto flaw = flaw_of(read_.image, o.annotation.box, what + " " + shown(o.name))) faults_.push_back(std::move(*flaw));
    else read_.objects.push_back(std::move(o));
  }

  VocOptions options_;
  std::vector<AnnotationFault>& faults_;
  pugi::xml_document document_;
  File read_;
};

// Names come from files: those that are too long for the system are no files either.
bool is_file(const fs::path& file) {
  std::error_code ignored;
  return fs::is_regular_file(file, ignored);
}

// Where the pictures of a data set lie, by their path without extension.
class Pictures {
 public:
  explicit Pictures(const fs::path& root) : root_(root), folder_(root / "JPEGImages") {
    if (!fs::is_directory(folder_) && fs::is_directory(root / "images")) folder_ = root / "images";
    if (!fs::is_directory(folder_)) return;
    for (const fs::path& file : images_below(folder_).files)
      by_stem_.emplace(file.lexically_relative(folder_).replace_extension().string(), file);
  }

  // `stem`: of the XML file, from Annotations.
  fs::path of(const fs::path& stem, const File& file) const {
    const fs::path name = file.filename.filename(), beside = folder_ / stem.parent_path() / name;
    const bool named = !name.empty() && is_file(beside);
    if (named && name.stem() == stem.filename()) return beside;
    if (const auto found = by_stem_.find(stem.string()); found != by_stem_.end()) return found->second;
    if (named) return beside;
    if (!file.path.empty() && is_file(root_ / file.path)) return (root_ / file.path).lexically_normal();
    return name.empty() ? folder_ / (stem.string() + ".jpg") : beside;
  }

 private:
  fs::path root_, folder_;
  std::map<std::string, fs::path> by_stem_;
};

bool is_xml(const fs::path& file) { return file.extension() == ".xml" || file.extension() == ".XML"; }

std::vector<fs::path> all_stems(const fs::path& annotations) {
  std::vector<fs::path> stems;
  for (const fs::path& file : entries_of(annotations))
    if (is_xml(file)) stems.push_back(file.stem());
  return stems;
}

std::optional<fs::path> list_of(const fs::path& folder, const std::string& part) {
  for (const fs::path& below : {folder / "ImageSets" / "Main", folder / "ImageSets"})
    if (fs::is_regular_file(below / (part + ".txt"))) return below / (part + ".txt");
  return std::nullopt;
}

std::vector<fs::path> stems_of(const fs::path& folder, const std::string& part, std::vector<AnnotationFault>& faults) {
  const std::vector<std::string> known = voc_parts(folder);
  check(std::find(known.begin(), known.end(), part) != known.end(), folder.string(), ": there is no ImageSets/", part, ".txt",
        known.empty() ? "" : fmt::format("; there are {}", fmt::join(known, ", ")));
  const fs::path list = *list_of(folder, part);
  const std::string text = read_text(list, kMostList);
  std::vector<fs::path> stems;
  std::size_t number = 0;
  for (const std::string_view line : lines_of(text)) {
    ++number;
    fs::path stem(line);
    if (line.empty()) continue;
    if (!is_file(folder / "Annotations" / (stem.string() + ".xml")) && (is_xml(stem) || is_image_extension(stem)))
      stem.replace_extension();
    const bool leaves = stem.is_absolute() || std::find(stem.begin(), stem.end(), "..") != stem.end();
    if (!leaves) stems.push_back(stem);
    else faults.push_back({list, fmt::format("line {}: expected a name below Annotations, got {}", number, shown(line))});
    check(faults.size() <= kMostFaults, list.string(), ": more than ", kMostFaults, " lines that name nothing below Annotations");
  }
  return stems;
}

// Labels are known once all files are: classes are those of the objects that can be used.
std::vector<std::string> names_in(const std::vector<File>& files) {
  std::set<std::string> names;
  for (const File& file : files)
    for (const Object& o : file.objects) names.insert(o.name);
  return {names.begin(), names.end()};
}

void add_file(File file, const ClassIndex& index, BoxData& data) {
  AnnotatedImage& image = file.image;
  for (const Object& o : file.objects) {
    if (const auto label = index.find(o.name)) {
      image.annotations.push_back(o.annotation);
      image.annotations.back().label = *label;
    } else {
      data.faults.push_back({image.source,
                             fmt::format("{}: {} is none of the {} classes", o.what, shown(o.name), data.classes.size()),
                             AnnotationFault::Kind::unknown_class});
    }
  }
  image.id = static_cast<std::int64_t>(data.images.size()) + 1;
  data.images.push_back(std::move(image));
}

}  // namespace

std::vector<std::string> voc_parts(const fs::path& folder) {
  std::set<std::string> names;
  for (const fs::path& below : {folder / "ImageSets" / "Main", folder / "ImageSets"})
    if (fs::is_directory(below))
      for (const fs::path& file : entries_of(below))
        if (file.extension() == ".txt" && fs::is_regular_file(file)) names.insert(file.stem().string());
  return {names.begin(), names.end()};
}

BoxData read_voc(const fs::path& folder, const std::string& part, const std::vector<std::string>& classes,
                 const VocOptions& options) {
  const fs::path annotations = folder / "Annotations";
  check(fs::is_directory(annotations), folder.string(), ": expected a folder of Pascal VOC, with Annotations inside");
  BoxData data;
  const Pictures pictures(folder);
  std::vector<File> files;
  for (const fs::path& stem : part.empty() ? all_stems(annotations) : stems_of(folder, part, data.faults)) {
    fs::path xml = annotations / (stem.string() + ".xml");
    if (const fs::path upper = annotations / (stem.string() + ".XML"); !is_file(xml) && is_file(upper)) xml = upper;
    const std::size_t faults = data.faults.size();
    try {
      files.push_back(XmlReader(xml, options, data.faults).read());
      files.back().image.file = pictures.of(stem, files.back());
    } catch (const std::exception& e) {
      data.faults.resize(faults);  // the whole file is left out
      data.bad.push_back(bad_file(xml, e));
    }
  }
  data.classes = classes.empty() ? names_in(files) : classes;
  data.category_ids = counted_ids(data.classes.size());
  const ClassIndex index(data.classes);
  for (File& file : files) add_file(std::move(file), index, data);
  check_any(data, folder);
  return data;
}

}  // namespace fovea
