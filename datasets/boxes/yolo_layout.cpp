#include "datasets/boxes/yolo_layout.hpp"

#include <charconv>
#include <optional>

#include "datasets/boxes/reading.hpp"
#include "datasets/walk.hpp"
#include "modules/core/json.hpp"
#include "modules/io/yaml.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 20;

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

std::optional<fs::path> yaml_in(const fs::path& folder) {
  for (const char* name : {"data.yaml", "data.yml", "dataset.yaml", "dataset.yml"})
    if (is_file(folder / name)) return folder / name;
  return std::nullopt;
}

// A sequence, or a mapping whose keys count from 0 in any order.
std::vector<std::string> names_of(const Yaml& names) {
  std::vector<std::string> classes;
  for (const Yaml& item : names.items()) classes.push_back(item.scalar());
  classes.resize(classes.size() + names.keys().size());
  std::vector<bool> seen(classes.size(), false);
  for (const std::string& key : names.keys()) {
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
    check(error == std::errc() && end == key.data() + key.size() && index < classes.size() && !seen[index], names.at(key).where(),
          ": expected the number of a class from 0 to ", classes.size() - 1, ", each once, got ", shown(key));
    classes[index] = names.at(key).scalar();
    seen[index] = true;
  }
  check(!classes.empty(), names.where(), ": expected the names of the classes, as a list or by number");
  for (const std::string& name : classes)
    check(!name.empty() && is_utf8(name), names.where(), ": expected names of classes in UTF-8, got ",
          name.empty() ? "none" : "other bytes");
  return classes;
}

// Below `root`; where nothing is there and it begins with "../", as Roboflow writes, without that.
fs::path place_of(const fs::path& root, const Yaml& value) {
  const std::string& text = value.scalar();
  check(!text.empty(), value.where(), ": expected a folder of pictures or a list of them");
  const fs::path place = root / text, inside = root / (text.starts_with("../") ? text.substr(3) : text);
  return (is_folder(place) || is_file(place) || !is_folder(inside) ? place : inside).lexically_normal();
}

// `path` counts from where Ultralytics keeps its data sets; where that is not here, the file lies in its data set.
fs::path root_of(const Yaml& yaml, const fs::path& file) {
  const fs::path folder = file.parent_path();
  if (!yaml.has("path")) return folder;
  const fs::path root = folder / yaml.at("path").scalar();
  return is_folder(root) ? root : folder;
}

YoloLayout read_yaml(const fs::path& file) {
  const Yaml yaml = Yaml::parse(read_text(file, kMostBytes), file.string());
  YoloLayout layout{{}, names_of(yaml.at("names"))};
  if (yaml.has("nc"))
    check(number_of(yaml.at("nc").scalar()) == static_cast<double>(layout.classes.size()), yaml.at("nc").where(),
          ": expected nc: ", layout.classes.size(), ", since there are so many names, got ", shown(yaml.at("nc").scalar()));
  const fs::path root = root_of(yaml, file);
  for (const char* key : {"train", "val", "test"}) {
    if (!yaml.has(key)) continue;
    const Yaml& value = yaml.at(key);
    YoloLayout::Part part{key, {}};
    for (const Yaml& item : value.items()) part.places.push_back(place_of(root, item));
    // An empty `test:` is what templates have.
    if (part.places.empty() && !value.scalar().empty()) part.places.push_back(place_of(root, value));
    if (!part.places.empty()) layout.parts.push_back(std::move(part));
  }
  check(!layout.parts.empty(), file.string(), ": expected train, val or test with pictures");
  return layout;
}

std::vector<std::string> names_below(const fs::path& folder) {
  for (const fs::path& file : {folder / "classes.txt", folder / "labels" / "classes.txt"}) {
    if (!is_file(file)) continue;
    std::vector<std::string> classes;
    const std::string text = read_text(file, kMostBytes);
    check(is_utf8(text), file.string(), ": expected names of classes in UTF-8");
    for (const std::string_view line : lines_of(text)) classes.emplace_back(line);
    while (!classes.empty() && classes.back().empty()) classes.pop_back();
    for (std::size_t i = 0; i < classes.size(); ++i)
      check(!classes[i].empty(), file.string(), ":", i + 1, ": expected the name of class ", i, ", got an empty line");
    return classes;
  }
  return {};
}

std::vector<fs::path> folders_in(const fs::path& folder) {
  std::vector<fs::path> folders;
  if (!is_folder(folder)) return folders;
  for (const fs::path& entry : entries_of(folder))
    if (is_folder(entry)) folders.push_back(entry);
  return folders;
}

}  // namespace

bool is_yolo_folder(const fs::path& folder) {
  if (yaml_in(folder) || is_folder(folder / "labels")) return true;
  for (const fs::path& part : folders_in(folder))
    if (is_folder(part / "images") && is_folder(part / "labels")) return true;
  return false;
}

YoloLayout yolo_layout(const fs::path& source) {
  if (is_file(source)) return read_yaml(source);
  check(is_folder(source), source.string(), ": expected a folder or a data.yaml of YOLO, there is none");
  if (const auto yaml = yaml_in(source)) return read_yaml(*yaml);
  YoloLayout layout{{}, names_below(source)};
  if (is_folder(source / "images")) {
    // images/train, images/val are parts; other folders divide one part.
    layout.parts.push_back({"", {source / "images"}});
    for (const fs::path& part : folders_in(source / "images")) layout.parts.push_back({part.filename().string(), {part}});
    return layout;
  }
  for (const fs::path& part : folders_in(source))
    if (is_folder(part / "images")) layout.parts.push_back({part.filename().string(), {part / "images"}});
  check(!layout.parts.empty(), source.string(), ": expected a folder of YOLO, with data.yaml, or images and labels inside");
  return layout;
}

fs::path yolo_labels_of(const fs::path& picture) {
  std::vector<fs::path> parts(picture.begin(), picture.end());
  for (std::size_t i = parts.size(); i-- > 1;)
    if (parts[i - 1] == "images") {
      parts[i - 1] = "labels";
      break;
    }
  fs::path labels;
  for (const fs::path& part : parts) labels /= part;
  return labels.replace_extension(".txt");
}

}  // namespace fovea
