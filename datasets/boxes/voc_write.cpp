#include <fmt/format.h>

#include <pugixml.hpp>
#include <set>
#include <sstream>

#include "datasets/boxes/reading.hpp"
#include "datasets/boxes/voc.hpp"
#include "modules/core/text.hpp"
#include "modules/io/files.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

// Names of files are bytes, XML is text.
void add_text(pugi::xml_node parent, const char* name, const std::string& text) {
  parent.append_child(name).append_child(pugi::node_pcdata).set_value(printable(text).c_str());
}

// What reading would not give back, or not tell apart.
void check_classes(const std::vector<std::string>& classes) {
  std::set<std::string> seen;
  for (const std::string& name : classes) {
    check(!name.empty() && trimmed(name) == name && printable(name) == name, "Pascal VOC: cannot write the class ", shown(name),
          ": expected a name in UTF-8 without control characters and blanks around it");
    check(seen.insert(name).second, "Pascal VOC: two classes are called ", shown(name));
  }
}

fs::path path_from(const fs::path& folder, const fs::path& picture) {
  const fs::path full = fs::absolute(picture).lexically_normal(), root = fs::absolute(folder).lexically_normal();
  const fs::path relative = full.lexically_proximate(root);
  return relative.empty() ? full : relative;
}

void add_object(pugi::xml_node root, const Annotation& a, const std::vector<std::string>& classes, double first) {
  check(a.label >= 0 && static_cast<std::size_t>(a.label) < classes.size(), "Pascal VOC: expected a label below ", classes.size(),
        ", got ", a.label);
  pugi::xml_node object = root.append_child("object");
  add_text(object, "name", classes[static_cast<std::size_t>(a.label)]);
  add_text(object, "difficult", a.ignored ? "1" : "0");
  pugi::xml_node box = object.append_child("bndbox");
  add_text(box, "xmin", fmt::format("{}", a.box.x1 + first));
  add_text(box, "ymin", fmt::format("{}", a.box.y1 + first));
  add_text(box, "xmax", fmt::format("{}", a.box.x2));
  add_text(box, "ymax", fmt::format("{}", a.box.y2));
}

std::string xml_of(const AnnotatedImage& image, const fs::path& folder, const std::vector<std::string>& classes, double first) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("annotation");
  const fs::path path = path_from(folder, image.file);
  add_text(root, "filename", image.file.filename().string());
  if (path.parent_path() != "JPEGImages") add_text(root, "path", path.string());
  if (!image.size.empty()) {
    pugi::xml_node size = root.append_child("size");
    add_text(size, "width", std::to_string(image.size.width));
    add_text(size, "height", std::to_string(image.size.height));
  }
  for (const Annotation& a : image.annotations) add_object(root, a, classes, first);
  std::ostringstream text;
  document.save(text, "\t", pugi::format_indent | pugi::format_no_declaration, pugi::encoding_utf8);
  return text.str();
}

}  // namespace

std::string voc_text(const AnnotatedImage& image, const fs::path& folder, const std::vector<std::string>& classes,
                     const VocOptions& options) {
  check_classes(classes);
  return xml_of(image, folder, classes, options.one_based ? 1 : 0);
}

void write_voc(const fs::path& folder, const std::vector<BoxPart>& parts, const VocOptions& options) {
  UniqueStems stems;
  for (const BoxPart& part : parts) {
    check_part_name(part.name);
    check_classes(part.data.classes);
    for (const AnnotatedImage& image : part.data.images) {
      stems.add(image.file);
      const std::string path = path_from(folder, image.file).string();  // by which reading finds it
      check(printable(path) == path, "Pascal VOC: cannot write the picture ", shown(path),
            ": expected a path in UTF-8 without control characters; rename it");
    }
  }
  fs::create_directories(folder / "Annotations");
  fs::create_directories(folder / "ImageSets");
  for (const BoxPart& part : parts) {
    std::string list;
    for (const AnnotatedImage& image : part.data.images) {
      const std::string stem = image.file.stem().string();
      write_file_atomically(folder / "Annotations" / (stem + ".xml"),
                            xml_of(image, folder, part.data.classes, options.one_based ? 1 : 0));
      list += stem + "\n";
    }
    write_file_atomically(folder / "ImageSets" / ((part.name.empty() ? "all" : part.name) + ".txt"), list);
  }
}

}  // namespace fovea
