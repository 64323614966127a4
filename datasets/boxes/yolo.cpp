#include "datasets/boxes/yolo.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "datasets/boxes/reading.hpp"
#include "datasets/boxes/yolo_layout.hpp"
#include "datasets/picture_size.hpp"
#include "datasets/walk.hpp"
#include "modules/core/json.hpp"
#include "modules/io/files.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

using Kind = AnnotationFault::Kind;

constexpr std::size_t kMostLabels = std::size_t{16} << 20, kMostList = std::size_t{64} << 20;

bool is_file(const fs::path& file) {
  std::error_code ignored;
  return fs::is_regular_file(file, ignored);
}

// A line of labels. Text that is no such line becomes a reason, which opens with the line's number.
struct Line {
  std::size_t class_number = 0;
  Box box;
};

std::vector<double> numbers_in(std::string_view text, const std::string& what) {
  std::vector<double> numbers;
  for (std::string_view rest = text; !rest.empty();) {
    const auto end = std::min(rest.find_first_of(" \t"), rest.size());
    const auto number = number_of(rest.substr(0, end));
    check(number.has_value(), what, ": expected class, centre, width and height, got ", shown(text));
    numbers.push_back(*number);
    rest = trimmed(rest.substr(end));
  }
  return numbers;
}

Line read_line(std::string_view text, cv::Size size, const std::string& what) {
  const std::vector<double> numbers = numbers_in(text, what);
  check(numbers.size() <= 6 || numbers.size() % 2 == 0, what, ": a polygon or an oriented box of ", numbers.size() / 2,
        " points; expected class, centre, width and height");
  check(numbers.size() == 5 || numbers.size() == 6, what, ": expected class, centre, width and height, got ", numbers.size(),
        " numbers");
  constexpr double kMostClasses = 1e9, kMostShare = 2;  // pixels are larger, boxes that hang over the edge are not
  check(numbers[0] >= 0 && numbers[0] < kMostClasses && numbers[0] == std::floor(numbers[0]), what,
        ": expected the number of a class, got ", numbers[0]);
  for (std::size_t i = 1; i < 5; ++i)
    check(!std::isfinite(numbers[i]) || std::abs(numbers[i]) <= kMostShare, what,
          ": expected shares of the picture from 0 to 1, got ", shown(text));
  const double x = numbers[1] * size.width, y = numbers[2] * size.height, w = numbers[3] * size.width,
               h = numbers[4] * size.height;
  return {static_cast<std::size_t>(numbers[0]), {x - w / 2, y - h / 2, x + w / 2, y + h / 2}};
}

class Reader {
 public:
  Reader(const std::vector<std::string>& names, const std::vector<std::string>& classes) : names_(names), index_(classes) {
    data_.classes = classes;
    data_.category_ids = counted_ids(classes.size());
  }

  void read_place(const fs::path& place) {
    if (is_file(place)) read_list(place);
    else if (std::error_code ignored; fs::is_directory(place, ignored)) read_folder(place);
    else data_.bad.push_back({place, place.string() + ": expected a folder of pictures or a list of them, there is none"});
  }

  BoxData take() { return std::move(data_); }

 private:
  void read_folder(const fs::path& folder) {
    const FolderImages found = images_below(folder);
    data_.bad.insert(data_.bad.end(), found.left_out.begin(), found.left_out.end());
    std::set<fs::path> label_folders{yolo_labels_of(folder / "x").parent_path()}, taken;
    for (const fs::path& file : found.files) {
      const fs::path labels = yolo_labels_of(file);
      label_folders.insert(labels.parent_path());
      taken.insert(labels);
      read_picture(file, labels);
    }
    for (const fs::path& labels : label_folders)
      if (labels != folder) find_lonely(labels, taken);
  }

  void find_lonely(const fs::path& folder, const std::set<fs::path>& taken) {
    std::error_code ignored;
    if (!fs::is_directory(folder, ignored)) return;
    for (const fs::path& file : entries_of(folder))
      if (file.extension() == ".txt" && file.filename() != "classes.txt" && is_file(file) && !taken.contains(file))
        data_.faults.push_back({file, "labels without a picture", Kind::no_picture});
  }

  void read_list(const fs::path& list) try {
    const std::string text = read_text(list, kMostList);
    for (const std::string_view line : lines_of(text)) {
      if (line.empty()) continue;
      const fs::path file = (list.parent_path() / line).lexically_normal();
      read_picture(file, yolo_labels_of(file));
    }
  } catch (const std::exception& e) { data_.bad.push_back(bad_file(list, e)); }

  void read_picture(const fs::path& file, const fs::path& labels) {
    const std::size_t faults = data_.faults.size();
    AnnotatedImage image{file, std::ssize(data_.images) + 1, {}, {}};
    fs::path reading = file;
    try {
      check_no_pipe(file);
      image.size = picture_size(file);
      if (is_file(labels)) {
        reading = image.source = labels;
        read_labels(image);
      }
      data_.images.push_back(std::move(image));
    } catch (const std::exception& e) {
      data_.faults.resize(faults);
      data_.bad.push_back(bad_file(reading, e));
    }
  }

  void read_labels(AnnotatedImage& image) {
    std::size_t number = 0, wrong = 0;
    const std::string text = read_text(image.source, kMostLabels);
    for (const std::string_view line : lines_of(text)) {
      const std::string what = "line " + std::to_string(++number);
      if (line.empty()) continue;
      const std::size_t before = data_.faults.size();
      try {
        add(read_line(line, image.size, what), what, image);
      } catch (const Error& e) { data_.faults.push_back({image.source, e.what()}); }
      wrong += data_.faults.size() > before && data_.faults.back().kind != Kind::unknown_class;
      if (wrong > kMostFaults)
        fail(image.source.string(), ": more than ", kMostFaults, " unreadable lines, the last: ", data_.faults.back().reason);
    }
  }

  void add(const Line& line, const std::string& what, AnnotatedImage& image) {
    if (line.class_number >= names_.size()) {
      data_.faults.push_back({image.source,
                              fmt::format("{}: class {} has no name; there are {}", what, line.class_number, names_.size()),
                              Kind::unknown_class});
      return;
    }
    const std::string& name = names_[line.class_number];
    const auto label = index_.find(name);
    if (label) add_box(image, {.box = line.box, .label = *label}, what + " " + shown(name), data_.faults);
    else
      data_.faults.push_back({image.source,
                              fmt::format("{}: {} is none of the {} classes", what, shown(name), data_.classes.size()),
                              Kind::unknown_class});
  }

  const std::vector<std::string>& names_;
  ClassIndex index_;
  BoxData data_;
};

void check_labels(const AnnotatedImage& image, std::size_t classes) {
  for (const Annotation& a : image.annotations)
    check(a.label >= 0 && static_cast<std::size_t>(a.label) < classes, "YOLO: expected a label below ", classes, ", got ",
          a.label);
}

// JSON's text is YAML's, too, and no name becomes a number or a truth value in it.
std::string yaml_of(const std::vector<BoxPart>& parts, const std::vector<std::string>& classes) {
  const auto quoted = [](const std::string& text) {
    check(!text.empty() && is_utf8(text), "YOLO: expected names in UTF-8, got ", shown(text));
    return nlohmann::json(text).dump();
  };
  std::string text;
  for (const BoxPart& part : parts)
    text += part.name.empty() ? "train: images\n" : fmt::format("{}: {}\n", quoted(part.name), quoted("images/" + part.name));
  text += "names:\n";
  for (std::size_t i = 0; i < classes.size(); ++i) text += fmt::format("  {}: {}\n", i, quoted(classes[i]));
  return text;
}

std::vector<std::string> names_of(const YoloLayout& layout) {
  std::vector<std::string> names;
  for (const YoloLayout::Part& part : layout.parts)
    if (!part.name.empty()) names.push_back(part.name);
  return names;
}

}  // namespace

std::string yolo_text(const AnnotatedImage& image, const std::vector<double>& scores) {
  check(!image.size.empty(), "YOLO: the size of ", image.file.string(), " is not known");
  check(scores.empty() || scores.size() == image.annotations.size(), "YOLO: expected ", image.annotations.size(), " scores, got ",
        scores.size());
  const double w = image.size.width, h = image.size.height;
  std::string text;
  for (std::size_t i = 0; i < image.annotations.size(); ++i) {
    const Annotation& a = image.annotations[i];
    if (a.ignored) continue;
    text += fmt::format("{} {} {} {} {}", a.label, (a.box.x1 + a.box.x2) / 2 / w, (a.box.y1 + a.box.y2) / 2 / h,
                        a.box.width() / w, a.box.height() / h);
    text += scores.empty() ? "\n" : fmt::format(" {}\n", scores[i]);
  }
  return text;
}

std::vector<std::string> yolo_parts(const fs::path& source) { return names_of(yolo_layout(source)); }

BoxData read_yolo(const fs::path& source, const std::string& part, const std::vector<std::string>& classes) {
  const YoloLayout layout = yolo_layout(source);
  const std::vector<std::string>& names = layout.classes.empty() ? classes : layout.classes;
  check(!names.empty(), source.string(), ": expected the names of the classes in data.yaml or classes.txt, there is neither");
  Reader reader(names, classes.empty() ? names : classes);
  std::set<fs::path> read;
  bool found = false;
  for (const YoloLayout::Part& p : layout.parts) {
    // A folder of all pictures comes first and holds its parts.
    if (part.empty() ? found && layout.parts.front().name.empty() : p.name != part) continue;
    found = true;
    for (const fs::path& place : p.places)
      if (read.insert(place).second) reader.read_place(place);
  }
  const auto known = names_of(layout);
  check(found, source.string(), ": there is no part '", part, "'",
        known.empty() ? "" : fmt::format("; there are {}", fmt::join(known, ", ")));
  BoxData data = reader.take();
  check_any(data, source);
  return data;
}

void write_yolo(const fs::path& folder, const std::vector<BoxPart>& parts) {
  check(!parts.empty(), "YOLO: expected at least one part to write");
  const std::vector<std::string>& classes = parts.front().data.classes;
  const std::string yaml = yaml_of(parts, classes);
  for (const BoxPart& part : parts) {
    check_part_name(part.name);
    check(part.data.classes == classes, "YOLO: expected the same classes in all parts, '", part.name, "' has others than '",
          parts.front().name, "'");
    UniqueStems stems;
    for (const AnnotatedImage& image : part.data.images) stems.add(image.file);
  }
  for (const BoxPart& part : parts) {
    const fs::path labels = folder / "labels" / part.name;
    fs::create_directories(labels);
    for (AnnotatedImage image : part.data.images) {
      check_labels(image, classes.size());
      if (image.size.empty()) image.size = picture_size(image.file);
      write_file_atomically(labels / (image.file.stem().string() + ".txt"), yolo_text(image));
    }
  }
  write_file_atomically(folder / "data.yaml", yaml);
}

}  // namespace fovea
