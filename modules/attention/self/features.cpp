#include "modules/attention/self/features.hpp"

#include <map>

#include "modules/nn/args.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {

FeatureMap feature_map(const std::string& name) {
  static const std::map<std::string, FeatureMap> maps{{"elu", [](const Var& x) { return scale(elu(x), 1, 1); }},
                                                      {"relu", relu},
                                                      {"softplus", softplus},
                                                      {"exp", [](const Var& x) { return exp(x); }},
                                                      {"square", [](const Var& x) { return x * x; }},
                                                      {"sigmoid", sigmoid},
                                                      {"gelu", gelu},
                                                      {"silu", silu},
                                                      {"tanh", [](const Var& x) { return tanh(x); }},
                                                      {"leaky_relu", [](const Var& x) { return leaky_relu(x); }},
                                                      {"identity", [](const Var& x) { return x; }}};
  const auto it = maps.find(name);
  if (it != maps.end()) return it->second;
  std::vector<std::string> names;
  std::string list;
  for (const auto& [known, map] : maps) names.push_back(known), list += (list.empty() ? "" : ", ") + known;
  const std::string near = nearest(name, names);
  fail("no feature map is called '", name, "'; there are ", list, near.empty() ? "" : "; did you mean '" + near + "'?");
}

}  // namespace fovea
