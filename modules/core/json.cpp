#include "modules/core/json.hpp"

#include <set>

namespace fovea {
namespace {

using nlohmann::json;

constexpr std::size_t kShown = 80;  // characters of a key in a message

// "[json.exception.parse_error.101] parse error at line 3, column 7: syntax error while parsing value - ...; last read: '...'"
// without the library's name and without what was read, which may be anything.
std::string reason(const json::exception& e) {
  std::string text = e.what();
  if (const auto end = text.find("] "); text.starts_with('[') && end != std::string::npos) text.erase(0, end + 2);
  if (text.starts_with("parse error at ")) text.erase(0, 15);
  return text.substr(0, std::min(text.find("; last read"), text.find(", got '")));
}

// Counts while the library parses, which itself takes whatever comes.
class Watch {
 public:
  Watch(const std::string& where, const JsonLimits& limits) : where_(where), limits_(limits) {}

  bool operator()(int depth, json::parse_event_t event, json& value) {
    using Event = json::parse_event_t;
    const bool opens = event == Event::object_start || event == Event::array_start;
    if (opens) check(depth < limits_.depth, where_, ": JSON nested deeper than ", limits_.depth);
    if (opens || event == Event::value)
      check(++values_ <= limits_.values, where_, ": more than ", limits_.values, " JSON values");
    if (event == Event::object_start) keys_.emplace_back();
    if (event == Event::object_end) keys_.pop_back();
    if (event == Event::key) {
      const auto& key = value.get_ref<const std::string&>();
      check(keys_.back().insert(key).second, where_, ": \"", key.substr(0, kShown), "\" is there twice");
    }
    return true;
  }

 private:
  const std::string& where_;
  const JsonLimits& limits_;
  std::size_t values_ = 0;
  std::vector<std::set<std::string>> keys_;
};

const char* kind_of(const json& v) {
  switch (v.type()) {
    case json::value_t::null: return "null";
    case json::value_t::object: return "an object";
    case json::value_t::array: return "a list";
    case json::value_t::string: return "text";
    case json::value_t::boolean: return "true or false";
    default: return "a number";
  }
}

}  // namespace

json parse_json(std::string_view text, const std::string& where, const JsonLimits& limits) {
  check(text.size() <= limits.bytes, where, ": ", text.size(), " bytes of JSON, expected at most ", limits.bytes);
  Watch watch(where, limits);
  try {
    return json::parse(text.begin(), text.end(), std::ref(watch));
  } catch (const json::exception& e) { fail(where, ": it is not JSON: ", reason(e)); }
}

JsonValue JsonValue::parse(std::string_view text, const std::string& where, const JsonLimits& limits) {
  return {parse_json(text, where, limits), where};
}

JsonValue::JsonValue(json value, std::string where)
    : document_(std::make_shared<const json>(std::move(value))), value_(document_.get()), file_(std::move(where)) {}

JsonValue JsonValue::at(const std::string& key) const {
  if (!value_->is_object()) wrong("an object with \"" + key + "\"");
  const auto found = value_->find(key);
  check(found != value_->end(), where(), ": \"", key, "\" is missing");
  return {document_, &*found, file_, path_.empty() ? key : path_ + "." + key};
}

std::vector<JsonValue> JsonValue::items() const {
  if (!value_->is_array()) wrong("a list");
  std::vector<JsonValue> all;
  for (const json& item : *value_)
    all.push_back(JsonValue(document_, &item, file_, path_ + "[" + std::to_string(all.size()) + "]"));
  return all;
}

std::vector<std::pair<std::string, JsonValue>> JsonValue::members() const {
  if (!value_->is_object()) wrong("an object");
  std::vector<std::pair<std::string, JsonValue>> all;
  for (const auto& [key, value] : value_->items())
    all.emplace_back(key, JsonValue(document_, &value, file_, path_.empty() ? key : path_ + "." + key));
  return all;
}

std::string JsonValue::text() const {
  if (!value_->is_string()) wrong("text");
  return value_->get<std::string>();
}

double JsonValue::number() const {
  if (!value_->is_number()) wrong("a number");
  return value_->get<double>();
}

bool JsonValue::boolean() const {
  if (!value_->is_boolean()) wrong("true or false");
  return value_->get<bool>();
}

std::string JsonValue::where() const { return path_.empty() ? file_ : file_ + ": " + path_; }

void JsonValue::wrong(const std::string& expected) const { fail(where(), ": expected ", expected, ", got ", kind_of(*value_)); }

}  // namespace fovea
