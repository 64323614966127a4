// Shell patterns over file names, for when the shell did not expand them: * ? [a-z] [!a-z] {a,b}, and ** for any folders.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fovea {

bool has_wildcards(std::string_view text);

// "a/{b,c}*.png" -> "a/b*.png", "a/c*.png"
std::vector<std::string> expand_braces(const std::string& pattern);

// One component against one name, byte by byte. As in a shell, a leading dot must be matched by a dot.
bool component_matches(std::string_view pattern, std::string_view name);

// Components of a path against components of a pattern; "**" matches any number of components.
using Components = std::vector<std::string>;
bool path_matches(const Components& pattern, const Components& path);

// Whether something below the folder `path` could match: what a walk may leave out.
bool path_may_lead_to_match(const Components& pattern, const Components& path);

}  // namespace fovea
