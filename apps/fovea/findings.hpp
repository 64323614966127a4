// What checks of data found, for people and for programs.
#pragma once

#include <nlohmann/json.hpp>

#include "datasets/finding.hpp"

namespace fovea {

// {"errors": 2, "warnings": 1, "kinds": {"missing file": 2, ...}, "findings": [{"severity", "kind", "split", "file", "text"}]}
nlohmann::ordered_json findings_json(const std::vector<Finding>& findings);

// Prints the first few of each kind, errors first, and how many there are; writes `json` to the file, unless that has no name.
// Gives the exit code: of quarantined inputs where there are errors.
int tell_findings(const std::vector<Finding>& findings, const nlohmann::ordered_json& json, const std::string& file);

}  // namespace fovea
