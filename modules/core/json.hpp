// The one reader of JSON: files of settings, caches, ledgers, answers and model files come from strangers, too. What is read has a bound on
// its size, depth and number of values, has no key twice, and is asked for by type: every mismatch is an Error that names file and key,
// "out/a.json: maps[2].values.peak: expected a number, got text".
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "modules/core/error.hpp"

namespace fovea {

struct JsonLimits {
  std::size_t bytes = std::size_t{16} << 20;
  int depth = 32;
  std::size_t values = 1'000'000;  // about 100 bytes of memory each
};

// Whether bytes are text that JSON can hold.
bool is_utf8(std::string_view bytes);

// The whole text as one value. Error "<where>: it is not JSON: line 3, column 7: ...", or with the limit that it is over.
nlohmann::json parse_json(std::string_view text, const std::string& where, const JsonLimits& limits = {});

// A value and where it stands. Copies share the document.
class JsonValue {
 public:
  // As parse_json. `where` opens messages: a file name, with a line where there are several values.
  static JsonValue parse(std::string_view text, const std::string& where, const JsonLimits& limits = {});
  JsonValue(nlohmann::json value, std::string where);

  bool is_null() const { return value_->is_null(); }
  bool is_number() const { return value_->is_number(); }
  bool has(const std::string& key) const { return value_->is_object() && value_->contains(key); }
  JsonValue at(const std::string& key) const;  // of an object
  std::vector<JsonValue> items() const;        // of a list
  std::vector<std::pair<std::string, JsonValue>> members() const;

  std::string text() const;
  double number() const;
  bool boolean() const;
  template <std::integral T>
  T whole() const {
    const nlohmann::json& v = *value_;
    constexpr T low = std::numeric_limits<T>::min(), high = std::numeric_limits<T>::max();
    const bool fits = v.is_number_unsigned() ? std::cmp_less_equal(v.get<std::uint64_t>(), high)
                      : v.is_number_integer()
                          ? std::cmp_less_equal(low, v.get<std::int64_t>()) && std::cmp_less_equal(v.get<std::int64_t>(), high)
                          : false;
    if (!fits) wrong("a whole number from " + std::to_string(low) + " to " + std::to_string(high));
    return v.get<T>();
  }

  const nlohmann::json& raw() const { return *value_; }
  std::string where() const;  // "out/a.json: maps[2].name"
  [[noreturn]] void wrong(const std::string& expected) const;

 private:
  JsonValue(std::shared_ptr<const nlohmann::json> document, const nlohmann::json* value, std::string file, std::string path)
      : document_(std::move(document)), value_(value), file_(std::move(file)), path_(std::move(path)) {}

  std::shared_ptr<const nlohmann::json> document_;
  const nlohmann::json* value_;
  std::string file_, path_;
};

}  // namespace fovea
