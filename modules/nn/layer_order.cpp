#include <algorithm>

#include "modules/nn/optim.hpp"

namespace fovea {
namespace {

std::vector<std::string> components(const std::string& path) {
  std::vector<std::string> parts(1);
  for (const char c : path)
    if (c == '.') parts.emplace_back();
    else parts.back() += c;
  return parts;
}

bool is_number(const std::string& s) { return !s.empty() && s.find_first_not_of("0123456789") == std::string::npos; }

// The path of the layer, or "" where there is no number in it. The last component is the parameter's own name.
std::string layer_path(const std::string& name) {
  const auto parts = components(name);
  std::string path;
  bool found = false;
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    const bool number = is_number(parts[i]);
    // Stages that hold blocks: stages.1.blocks.0, blocks.1.0; a block's own lists (conv.3) are not layers.
    const bool goes_on = number ? i > 0 && (parts[i - 1] == "blocks" || (i > 1 && parts[i - 2] == "blocks"))
                                : parts[i] == "blocks" && is_number(parts[i + 1]);
    if (found && !goes_on) return path;
    path += (path.empty() ? "" : ".") + parts[i];
    found = found || number;
  }
  return found ? path : "";
}

}  // namespace

std::vector<int> layers_of(const ParamStore& store) {
  std::vector<int> layers;
  std::vector<std::string> seen;
  int now = 0;
  for (const auto& e : store.entries()) {
    const bool head = e.name.rfind("head.", 0) == 0 || e.name.rfind("distill.", 0) == 0;  // what learns from scratch
    if (const std::string path = head ? "" : layer_path(e.name); !path.empty()) {
      const auto known = std::find(seen.begin(), seen.end(), path);
      now = static_cast<int>(known - seen.begin()) + 1;
      if (known == seen.end()) seen.push_back(path);
    }
    layers.push_back(head ? -1 : now);
  }
  const int last = static_cast<int>(seen.size()) + 1;
  for (int& l : layers)
    if (l < 0) l = last;
  return layers;
}

}  // namespace fovea
