#include "pipeline/sources/glob.hpp"

namespace fovea {
namespace {

std::string joined(const Components& parts) {
  std::string all;
  for (const std::string& part : parts) all += (all.empty() ? "" : "/") + part;
  return all;
}

Glob glob_of(const Components& pattern) { return Glob(joined(pattern), Glob::Kind::files); }

}  // namespace

bool path_matches(const Components& pattern, const Components& path) { return glob_of(pattern).matches(joined(path)); }

bool path_may_lead_to_match(const Components& pattern, const Components& path) {
  return glob_of(pattern).leads_on_from(joined(path));
}

}  // namespace fovea
