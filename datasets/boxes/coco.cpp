#include "datasets/boxes/coco.hpp"

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <unordered_map>

#include "datasets/boxes/reading.hpp"
#include "modules/io/json.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

// COCO's instances_train2017.json has 448 MB, and a coordinate of its polygons takes some eight bytes.
constexpr JsonLimits kLimits{.bytes = std::size_t{512} << 20, .depth = 32, .values = 64'000'000};
constexpr std::size_t kMostCategories = 20'000;

// Where each of the ids stands.
std::unordered_map<std::int64_t, std::size_t> places_of(const std::vector<std::int64_t>& ids) {
  std::unordered_map<std::int64_t, std::size_t> places;
  for (std::size_t i = 0; i < ids.size(); ++i) places.emplace(ids[i], i);
  return places;
}

// Of `key`, an id that has a place.
std::size_t place_of(const JsonValue& object, const char* key, const std::unordered_map<std::int64_t, std::size_t>& places) {
  const JsonValue value = object.at(key);
  const auto id = value.whole<std::int64_t>();
  const auto found = places.find(id);
  check(found != places.end(), value.where(), ": expected an id that is there, got ", id);
  return found->second;
}

// Into an annotation or a detection.
template <class T>
void read_box(const JsonValue& bbox, T& into) {
  const auto numbers = bbox.items();
  check(numbers.size() == 4, bbox.where(), ": expected [x, y, width, height], got ", numbers.size(), " numbers");
  const double x = numbers[0].number(), y = numbers[1].number(), w = numbers[2].number(), h = numbers[3].number();
  const Box box{x, y, x + w, y + h};
  check(std::isfinite(box.x2) && std::isfinite(box.y2) && std::isfinite(w * h) && std::isfinite(box.area()), bbox.where(),
        ": expected a box on a picture, got ", x, " ", y, " ", w, " ", h);
  into.box = box;
  if (box.width() != w || box.height() != h) into.written = {w, h};
}

bool flag_of(const JsonValue& value) { return value.raw().is_boolean() ? value.boolean() : value.whole<std::int64_t>() != 0; }

int side_of(const JsonValue& image, const char* key) {
  if (!image.has(key)) return 0;
  const JsonValue value = image.at(key);
  const int side = value.whole<int>();
  check(side >= 0, value.where(), ": expected at least 0 pixels, got ", side);
  return side;
}

fs::path picture_of(const JsonValue& name, const fs::path& folder) {
  const std::string text = name.text();
  check(!text.empty() && text.find('\0') == std::string::npos, name.where(), ": expected the name of a file");
  std::error_code ignored;
  for (const fs::path& file : {folder / text, folder / "images" / text, fs::path(text)})
    if (fs::is_regular_file(file, ignored)) return file;
  return folder / text;
}

class Reader {
 public:
  Reader(const fs::path& file, const std::vector<std::string>& classes, CocoUse use)
      : file_(file), classes_(classes), measuring_(use == CocoUse::measuring) {}

  BoxData read(const JsonValue& json) {
    read_categories(json.at("categories"));
    read_images(json.at("images"));
    read_annotations(json.at("annotations"));
    for (const Category& c : categories_)
      if (c.left_out > 0)
        data_.faults.push_back({file_, fmt::format("category {} is none of the classes: {} left out", shown(c.name), c.left_out),
                                AnnotationFault::Kind::unknown_class});
    return std::move(data_);
  }

 private:
  struct Category {
    std::string name;
    std::optional<std::int64_t> label;
    std::int64_t left_out = 0;
  };

  void read_categories(const JsonValue& list) {
    const auto all = list.items();
    check(all.size() <= kMostCategories, list.where(), ": expected at most ", kMostCategories, ", got ", all.size());
    const ClassIndex index(classes_);
    std::vector<std::optional<std::int64_t>> ids(classes_.size());
    for (const JsonValue& c : all) {
      const auto id = c.at("id").whole<std::int64_t>();
      check(category_places_.emplace(id, categories_.size()).second, c.at("id").where(), ": ", id, " is there twice");
      Category category{measuring_ && !c.has("name") ? std::to_string(id) : c.at("name").text(), std::nullopt};
      if (classes_.empty()) {
        category.label = std::ssize(ids);
        data_.classes.push_back(category.name);
        ids.push_back(id);
      } else if (category.label = index.find(category.name); category.label) {
        auto& first = ids[static_cast<std::size_t>(*category.label)];
        first = first.value_or(id);
      }
      categories_.push_back(std::move(category));
    }
    if (!classes_.empty()) data_.classes = classes_;
    std::int64_t unused = 1;
    for (const auto& id : ids) {
      while (!id && category_places_.contains(unused)) ++unused;
      data_.category_ids.push_back(id ? *id : unused++);
    }
  }

  void read_images(const JsonValue& list) {
    const fs::path folder = file_.parent_path();
    for (const JsonValue& i : list.items()) {
      AnnotatedImage image;
      image.id = i.at("id").whole<std::int64_t>();
      image.source = file_;
      check(image_places_.emplace(image.id, data_.images.size()).second, i.at("id").where(), ": ", image.id, " is there twice");
      if (!measuring_ || i.has("file_name")) image.file = picture_of(i.at("file_name"), folder);
      image.size = {side_of(i, "width"), side_of(i, "height")};
      data_.images.push_back(std::move(image));
    }
  }

  void read_annotations(const JsonValue& list) {
    std::size_t number = 0;
    for (const JsonValue& a : list.items()) {
      const std::size_t at = number++;
      AnnotatedImage& image = data_.images[place_of(a, "image_id", image_places_)];
      Category& category = categories_[place_of(a, "category_id", category_places_)];
      Annotation object;
      read_box(a.at("bbox"), object);
      if (measuring_ || is_valid(object.box)) object.area = area_of(a);
      object.ignored = a.has("iscrowd") && flag_of(a.at("iscrowd"));
      object.label = category.label.value_or(-1);
      if (!category.label) ++category.left_out;
      else if (measuring_) image.annotations.push_back(object);
      else add_box(image, object, fmt::format("annotations[{}]", at), data_.faults);
    }
  }

  static double area_of(const JsonValue& annotation) {
    if (!annotation.has("area")) return -1;
    const JsonValue value = annotation.at("area");
    const double area = value.number();
    check(area >= 0, value.where(), ": expected at least 0, got ", area);
    return area;
  }

  const fs::path file_;
  const std::vector<std::string>& classes_;
  const bool measuring_;
  BoxData data_;
  std::vector<Category> categories_;
  std::unordered_map<std::int64_t, std::size_t> category_places_, image_places_;
};

std::vector<std::int64_t> ids_of(const std::vector<AnnotatedImage>& images) {
  std::vector<std::int64_t> ids;
  for (const AnnotatedImage& i : images) ids.push_back(i.id);
  return ids;
}

}  // namespace

BoxData read_coco(const fs::path& file, const std::vector<std::string>& classes, CocoUse use) {
  return coco_from(read_json(file, kLimits), file, classes, use);
}

BoxData coco_from(const JsonValue& json, const fs::path& file, const std::vector<std::string>& classes, CocoUse use) {
  return Reader(file, classes, use).read(json);
}

std::vector<Detections> read_coco_results(const fs::path& file, const BoxData& data) {
  const auto images = places_of(ids_of(data.images)), labels = places_of(data.category_ids);
  std::vector<Detections> all(data.images.size());
  for (const JsonValue& d : read_json(file, kLimits).items()) {
    const std::size_t image = place_of(d, "image_id", images), label = place_of(d, "category_id", labels);
    Detection& found = all[image].emplace_back();
    read_box(d.at("bbox"), found);
    found.label = static_cast<std::int64_t>(label), found.score = d.at("score").number();
  }
  return all;
}

}  // namespace fovea
