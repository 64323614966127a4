#include "modules/io/codes.hpp"

#include <algorithm>
#include <cctype>

namespace fovea {
namespace {

constexpr std::size_t kLongestCode = 16, kLongestMeaning = 64;
constexpr const char* kOwnScheme = "99FOVEA";
const Code kTissue{"85756007", "SCT", "Tissue"};

Code read_code(const Yaml& y) {
  std::vector<std::string> parts;
  for (const Yaml& item : y.items()) parts.push_back(item.scalar());
  check(parts.size() == 3, y.where(), ": expected a code as [value, scheme, meaning], got ", parts.size(), " parts");
  const bool fit = parts[0].size() <= kLongestCode && parts[1].size() <= kLongestCode && parts[2].size() <= kLongestMeaning &&
                   std::none_of(parts.begin(), parts.end(),
                                [](const std::string& p) { return p.empty() || p.find('\\') != std::string::npos; });
  check(fit, y.where(), ": expected a value and a scheme of 1 to ", kLongestCode, " characters and a meaning of 1 to ",
        kLongestMeaning);
  return {parts[0], parts[1], parts[2]};
}

// A private code made of the name: "ground glass" is "GROUND_GLASS".
Code own_code(const std::string& name) {
  std::string value;
  for (const char c : name.substr(0, kLongestCode))
    value += std::isalnum(static_cast<unsigned char>(c)) ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : '_';
  return {value, kOwnScheme, name.substr(0, kLongestMeaning)};
}

}  // namespace

std::vector<ClassCodes> read_codes(const Yaml& recipe, const std::vector<std::string>& classes) {
  std::vector<ClassCodes> out;
  if (recipe.has("codes")) recipe.at("codes").only(classes);
  for (const std::string& name : classes) {
    ClassCodes codes{kTissue, own_code(name)};
    if (recipe.has("codes") && recipe.at("codes").has(name)) {
      const Yaml& y = recipe.at("codes").at(name);
      y.only({"category", "type"});
      codes = {read_code(y.at("category")), read_code(y.at("type"))};
    }
    out.push_back(std::move(codes));
  }
  return out;
}

}  // namespace fovea
