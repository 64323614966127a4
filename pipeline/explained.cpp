#include "pipeline/explained.hpp"

#include "modules/io/json.hpp"
#include "pipeline/sinks/ledger_json.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

constexpr JsonLimits kBoxLimits{.bytes = std::size_t{256} << 20, .values = 10'000'000};

// A file beside the JSON, whatever folders the text names.
std::string file_name(const JsonValue& json, const std::string& key) {
  return json.has(key) || json.has(key + "_hex") ? fs::path(get_name(json, key)).filename().string() : std::string();
}

ExplainedMap map_from(const JsonValue& json) {
  ExplainedMap map{json.at("name").text(), file_name(json, "overlay"), {}, {}};
  if (json.has("faithfulness")) {
    const JsonValue areas = json.at("faithfulness");
    const JsonValue insertion = areas.at("insertion_auc"), deletion = areas.at("deletion_auc");
    // What is not finite is null in JSON.
    if (!insertion.is_null() && !deletion.is_null()) map.faithfulness = {insertion.number(), deletion.number()};
  }
  const JsonValue values = json.at("values");
  if (values.is_null()) return map;
  const JsonValue peak = values.at("peak");
  map.peak = {peak.at("x").number(), peak.at("y").number()};
  return map;
}

explain::Box box_from(const JsonValue& json) {
  const auto numbers = json.items();
  if (numbers.size() != 4) json.wrong("x0, y0, x1, y1");
  return {numbers[0].number(), numbers[1].number(), numbers[2].number(), numbers[3].number()};
}

}  // namespace

ExplainedFacts read_explained(const fs::path& file) {
  const JsonValue json = read_json(file);
  ExplainedFacts facts;
  facts.method = json.at("method").text();
  if (json.has("target")) facts.target = json.at("target").at("class").text();
  if (json.has("predicted"))
    for (const JsonValue& c : json.at("predicted").items())
      facts.predicted.emplace_back(c.at("class").text(), c.at("probability").number());
  const JsonValue image = json.at("geometry").at("image");
  facts.width = image.at("width").number(), facts.height = image.at("height").number();
  if (json.has("maps"))
    for (const JsonValue& map : json.at("maps").items()) facts.maps.push_back(map_from(map));
  if (json.has("channels"))
    for (const JsonValue& c : json.at("channels").items()) facts.pictures.push_back(file_name(c, "picture"));
  return facts;
}

Boxes::Boxes(const fs::path& file) {
  const JsonValue json = read_json(file, kBoxLimits);
  if (json.has("image_size")) {
    const JsonValue size = json.at("image_size");
    const auto sides = size.items();
    if (sides.size() != 2 || sides[0].number() <= 0 || sides[1].number() <= 0) size.wrong("width and height, both above 0");
    size_ = {sides[0].number(), sides[1].number()};
  }
  for (const auto& [image, list] : json.at("images").members())
    for (const JsonValue& b : list.items()) {
      if (b.has("strong") && !b.at("strong").boolean()) continue;
      images_[image].emplace_back(b.has("class") ? b.at("class").text() : "", box_from(b.at("box")));
    }
}

std::vector<explain::Box> Boxes::of(const std::string& image, const std::string& target, double width, double height) const {
  const auto found = images_.find(image);
  if (found == images_.end()) return {};
  const double fx = size_ ? width / size_->first : 1, fy = size_ ? height / size_->second : 1;
  std::vector<explain::Box> named, all;
  for (const auto& [name, box] : found->second) {
    all.push_back({box.x0 * fx, box.y0 * fy, box.x1 * fx, box.y1 * fy});
    if (name == target) named.push_back(all.back());
  }
  return named.empty() ? all : named;
}

}  // namespace fovea
