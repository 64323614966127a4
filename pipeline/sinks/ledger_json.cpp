#include "pipeline/sinks/ledger_json.hpp"

#include <cmath>
#include <cstdlib>

#include "modules/core/text.hpp"

namespace fovea {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json) { return printable_json(json.dump(-1, ' ', false, Json::error_handler_t::replace)); }

void put_name(Json& json, const std::string& key, const std::string& name) {
  json[key] = name;
  if (is_utf8(name)) return;
  static constexpr char digits[] = "0123456789abcdef";
  std::string hex;
  for (const unsigned char c : name) hex += {digits[c >> 4], digits[c & 15]};
  json[key + "_hex"] = hex;
}

std::string get_name(const JsonValue& json, const std::string& key) {
  constexpr std::size_t kLongest = 65536;  // sixteen times what Linux allows
  if (!json.has(key + "_hex")) {
    std::string name = json.at(key).text();
    if (name.size() > kLongest) json.at(key).wrong("a name");
    return name;
  }
  const JsonValue hex = json.at(key + "_hex");
  const std::string digits = hex.text();
  if (digits.size() % 2 != 0 || digits.size() > 2 * kLongest || digits.find_first_not_of("0123456789abcdef") != std::string::npos)
    hex.wrong("pairs of hexadecimal digits");
  std::string name;
  for (std::size_t i = 0; i < digits.size(); i += 2)
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
  if (!r.notes.empty()) json["notes"] = r.notes;
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

Record record_from(const JsonValue& json) {
  Record r;
  r.input = get_name(json, "input");
  if (json.has("part")) r.part = get_name(json, "part");
  r.output = get_name(json, "output");
  const JsonValue state = json.at("state");
  const std::string name = state.text();
  if (name == "done") r.state = Record::State::done;
  else if (name == "skipped") r.state = Record::State::skipped;
  else if (name == "quarantined") r.state = Record::State::quarantined;
  else state.wrong("\"done\", \"skipped\" or \"quarantined\"");
  if (json.has("reason")) r.reason = json.at("reason").text();
  const auto whole = [&](const char* key) { return json.at(key).whole<std::int64_t>(); };
  r.stamp = {whole("size"), whole("modified_ns"), whole("changed_ns")};
  r.settings = json.at("settings").text();
  if (json.has("seconds") && !json.at("seconds").is_null()) r.seconds = json.at("seconds").number();
  if (json.has("notes"))
    for (const JsonValue& one : json.at("notes").items()) r.notes.push_back(one.text());
  if (json.has("beside"))
    for (const JsonValue& one : json.at("beside").items()) r.beside.push_back(get_name(one, "file"));
  return r;
}

}  // namespace fovea
