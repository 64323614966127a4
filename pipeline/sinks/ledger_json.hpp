// Ledger records as JSON. Names are bytes and JSON is Unicode: a name that is not UTF-8 is written readably with replacement
// characters, and exactly, in hexadecimal, under the key with "_hex" appended.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "modules/core/json.hpp"
#include "pipeline/sinks/ledger.hpp"

namespace fovea {

void put_name(nlohmann::ordered_json& json, const std::string& key, const std::string& name);
std::string get_name(const JsonValue& json, const std::string& key);

std::string to_line(const Record& record);  // without the newline
Record record_from(const JsonValue& json);  // Error
// Text on one line, whatever its bytes.
std::string dump(const nlohmann::ordered_json& json);

}  // namespace fovea
