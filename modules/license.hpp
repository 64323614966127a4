// Under which terms a model may be used: those of its weights, and those of the data that they were made from. A recipe says them,
//   license: {weights: Apache-2.0, data: "research only: Flickr8k (Hodosh et al. 2013); MIT: BCCD_Dataset"}
// and a model's file holds them as metadata `license` and `data_license`. A text is a list of terms with ";" between them; a term is an
// SPDX identifier or plain words, and then, if one likes, what it is the term of. "unknown", and what is not said, is unknown.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "modules/core/error.hpp"

namespace fovea {

class Model;
class Yaml;

struct License {
  std::string weights, data;  // empty: nobody says
  bool operator==(const License&) const = default;
};

// Of a recipe's key `license`, which may be absent. Error where it is anything but two short lines of text.
License read_license(const Yaml& recipe);
// What a file's metadata say. A text that is too long to be a licence counts as unknown, and says so.
License license_in(const std::map<std::string, std::string>& metadata);
// Of a model: what its file says, else its recipe.
License license_of(const Model& model);
std::map<std::string, std::string> license_metadata(const License& license);
// What a user gives as `--metadata key=value`: for these, and any others. Error for what is no such pair and for keys that are the program's own.
std::map<std::string, std::string> read_metadata(const std::vector<std::string>& given);

// All terms of two statements about the same weights.
License together(const License& a, const License& b);
// Of weights that were trained from others: the terms of both, and unknown where either says nothing.
License derived(const License& own, const License& source);

// any; no_research: terms that are known and do not speak of research, academic, educational or (non-)commercial use; open: terms that all
// begin with the SPDX identifier of an open licence, or "public domain".
enum class LicensePolicy : std::uint8_t { any, no_research, open };
LicensePolicy parse_license_policy(const std::string& name);  // "any", "no-research", "open"

// Why the policy refuses the terms, or empty.
std::string refusal(const License& license, LicensePolicy policy);

class LicenseRefused : public Error {
 public:
  using Error::Error;
};

// What holds for every model's file that this process loads. At first any, which nobody hears of.
struct LicenseRules {
  LicensePolicy policy = LicensePolicy::any;
  std::function<void(const std::string& model, const License& license)> heard = {};  // of each that is loaded; from any thread
};
void set_license_rules(LicenseRules rules);
// LicenseRefused where the rules do not allow the model. Model::load() asks.
void apply_license_rules(const Model& model);

}  // namespace fovea
