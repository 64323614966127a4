#include "pipeline/sinks/ledger_json.hpp"

#include <cmath>
#include <cstdlib>

namespace fovea {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

bool is_utf8(const std::string& bytes) {
  try {
    (void)Json(bytes).dump();
    return true;
  } catch (const Json::type_error&) { return false; }
}

void put_name(Json& json, const std::string& key, const std::string& name) {
  json[key] = name;
  if (is_utf8(name)) return;
  static constexpr char digits[] = "0123456789abcdef";
  std::string hex;
  for (const unsigned char c : name) hex += {digits[c >> 4], digits[c & 15]};
  json[key + "_hex"] = hex;
}

std::string get_name(const Json& json, const std::string& key) {
  const auto hex = json.find(key + "_hex");
  if (hex == json.end()) return json.at(key).get<std::string>();
  const auto digits = hex->get<std::string>();
  std::string name;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    name += static_cast<char>(std::strtol(digits.substr(i, 2).c_str(), nullptr, 16));
  return name;
}

std::string to_line(const Record& r) {
  Json json;
  put_name(json, "input", r.input);
  if (!r.part.empty()) put_name(json, "part", r.part);
  put_name(json, "output", r.output);
  json["state"] = r.state == Record::State::done ? "done" : r.state == Record::State::skipped ? "skipped" : "quarantined";
  if (r.state != Record::State::done) json["reason"] = r.reason;
  json["size"] = r.stamp.size;
  json["modified_ns"] = r.stamp.modified;
  json["changed_ns"] = r.stamp.changed;
  json["settings"] = r.settings;
  json["seconds"] = std::round(r.seconds * 1000) / 1000;
  if (!r.beside.empty()) {
    json["beside"] = Json::array();
    for (const std::string& name : r.beside) {
      Json one;
      put_name(one, "file", name);
      json["beside"].push_back(one);
    }
  }
  return dump(json);
}

Record record_from(const Json& json) {
  Record r;
  r.input = get_name(json, "input");
  if (json.contains("part")) r.part = get_name(json, "part");
  r.output = get_name(json, "output");
  const auto state = json.at("state").get<std::string>();
  r.state = state == "done" ? Record::State::done : state == "skipped" ? Record::State::skipped : Record::State::quarantined;
  r.reason = json.value("reason", "");
  r.stamp = {json.at("size").get<std::int64_t>(), json.at("modified_ns").get<std::int64_t>(),
             json.at("changed_ns").get<std::int64_t>()};
  r.settings = json.at("settings").get<std::string>();
  r.seconds = json.value("seconds", 0.0);
  if (const auto beside = json.find("beside"); beside != json.end())
    for (const Json& one : *beside) r.beside.push_back(get_name(one, "file"));
  return r;
}

}  // namespace fovea
