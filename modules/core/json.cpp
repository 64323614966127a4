#include "modules/core/json.hpp"

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

// Builds the value from the library's events and counts meanwhile. (The library's own callback looks through a whole list behind each object
// in it: a list of a million objects would take minutes.)
class Builder final : public nlohmann::json_sax<json> {
 public:
  Builder(const std::string& where, const JsonLimits& limits) : where_(where), limits_(limits) {}
  json take() { return std::move(root_); }

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t&) override { return put(value); }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // text has none
  bool start_object(std::size_t) override { return open(json::object()); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    const auto [member, fresh] = open_.back()->emplace(name, nullptr);
    check(fresh, where_, ": \"", name.substr(0, kShown), "\" is there twice");
    slot_ = &*member;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const json::exception& e) override {
    fail(where_, ": it is not JSON: ", reason(e));
  }

 private:
  // Where the next value belongs: the root, behind a list's last, or the member whose key came.
  template <class T>
  bool put(T&& value) {
    check(++values_ <= limits_.values, where_, ": more than ", limits_.values, " JSON values");
    if (!open_.empty() && open_.back()->is_array()) slot_ = &open_.back()->emplace_back();
    *slot_ = std::forward<T>(value);
    return true;
  }
  bool open(json empty) {
    check(std::cmp_less(open_.size(), limits_.depth), where_, ": JSON nested deeper than ", limits_.depth);
    put(std::move(empty));
    open_.push_back(slot_);
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  const std::string& where_;
  const JsonLimits& limits_;
  std::size_t values_ = 0;
  json root_;
  json* slot_ = &root_;
  std::vector<json*> open_;  // lists and objects, the innermost last; none grows while something in it is open
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

bool is_utf8(std::string_view bytes) {
  try {
    (void)json(bytes).dump();
    return true;
  } catch (const json::type_error&) { return false; }
}

json parse_json(std::string_view text, const std::string& where, const JsonLimits& limits) {
  check(text.size() <= limits.bytes, where, ": ", text.size(), " bytes of JSON, expected at most ", limits.bytes);
  Builder builder(where, limits);
  json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
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
