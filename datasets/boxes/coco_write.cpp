#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "datasets/boxes/coco.hpp"
#include "modules/io/files.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

std::string quoted(const std::string& text) try { return nlohmann::json(text).dump(); } catch (const nlohmann::json::exception&) {
  fail("cannot write as JSON: it is not UTF-8: ", text);
}

// What to add to `low` so that the sum is `high` to the last digit: high - low, or a number beside it.
double length_between(double low, double high, double written) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double plain = high - low;
  for (const double length : {written, plain, std::nextafter(plain, kInfinity), std::nextafter(plain, -kInfinity)})
    if (low + length == high) return length;
  return plain;
}

std::string bbox_of(const Box& b, cv::Size2d written) {
  const double numbers[] = {b.x1, b.y1, length_between(b.x1, b.x2, written.width), length_between(b.y1, b.y2, written.height)};
  for (const double v : numbers) check(std::isfinite(v), "boxes: expected finite numbers, got ", v);
  return fmt::format("[{},{},{},{}]", numbers[0], numbers[1], numbers[2], numbers[3]);
}

std::int64_t category_of(std::int64_t label, const BoxData& data) {
  check(label >= 0 && static_cast<std::size_t>(label) < data.category_ids.size(), "boxes: expected a label below ",
        data.category_ids.size(), ", got ", label);
  return data.category_ids[static_cast<std::size_t>(label)];
}

std::string name_of(const fs::path& picture, const fs::path& folder) {
  const fs::path full = fs::absolute(picture).lexically_normal();
  const fs::path below = full.lexically_relative(fs::absolute(folder).lexically_normal());
  return below.empty() || *below.begin() == ".." ? full.string() : below.string();
}

std::string image_of(const AnnotatedImage& image, const fs::path& folder) {
  std::string text = fmt::format("{{\"id\":{}", image.id);
  if (!image.file.empty()) text += ",\"file_name\":" + quoted(name_of(image.file, folder));
  if (!image.size.empty()) text += fmt::format(",\"width\":{},\"height\":{}", image.size.width, image.size.height);
  return text + "}";
}

std::string annotation_of(const Annotation& a, std::int64_t id, std::int64_t image, const BoxData& data) {
  const double area = std::max(0.0, a.object_area());
  check(std::isfinite(area), "boxes: expected a finite area, got ", area);
  return fmt::format(R"({{"id":{},"image_id":{},"category_id":{},"bbox":{},"area":{},"iscrowd":{}}})", id, image,
                     category_of(a.label, data), bbox_of(a.box, a.written), area, a.ignored ? 1 : 0);
}

// A list with an entry a line.
class Lines {
 public:
  void add(const std::string& entry) { text_ += (text_.empty() ? "\n" : ",\n") + entry; }
  std::string list() const { return "[" + text_ + "]"; }

 private:
  std::string text_;
};

void check_ids(const BoxData& data) {
  check(data.category_ids.size() == data.classes.size(), "boxes: expected an id for each of ", data.classes.size(),
        " classes, got ", data.category_ids.size());
  std::set<std::int64_t> ids;
  for (const AnnotatedImage& i : data.images) check(ids.insert(i.id).second, "boxes: two images have the id ", i.id);
}

}  // namespace

std::string coco_text(const BoxData& data, const fs::path& folder) {
  check_ids(data);
  Lines images, categories, annotations;
  for (std::size_t c = 0; c < data.classes.size(); ++c)
    categories.add(fmt::format(R"({{"id":{},"name":{}}})", data.category_ids[c], quoted(data.classes[c])));
  std::int64_t id = 0;  // from 1: pycocotools takes an object of id 0 for one that was not found
  for (const AnnotatedImage& i : data.images) {
    images.add(image_of(i, folder));
    for (const Annotation& a : i.annotations) annotations.add(annotation_of(a, ++id, i.id, data));
  }
  return fmt::format("{{\"images\":{},\n\"categories\":{},\n\"annotations\":{}}}\n", images.list(), categories.list(),
                     annotations.list());
}

std::string coco_results_text(const BoxData& data, const std::vector<Detections>& detections) {
  check_ids(data);
  check(detections.size() == data.images.size(), "boxes: expected detections of ", data.images.size(), " images, got ",
        detections.size());
  Lines all;
  for (std::size_t i = 0; i < detections.size(); ++i)
    for (const Detection& d : detections[i]) {
      check(std::isfinite(d.score), "boxes: expected a finite score, got ", d.score);
      all.add(fmt::format(R"({{"image_id":{},"category_id":{},"bbox":{},"score":{}}})", data.images[i].id,
                          category_of(d.label, data), bbox_of(d.box, d.written), d.score));
    }
  return all.list() + "\n";
}

void write_coco(const fs::path& file, const BoxData& data) {
  write_file_atomically(file, coco_text(data, fs::absolute(file).parent_path()));
}

void write_coco_results(const fs::path& file, const BoxData& data, const std::vector<Detections>& detections) {
  write_file_atomically(file, coco_results_text(data, detections));
}

}  // namespace fovea
