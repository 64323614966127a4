#include "tests/golden/modules.hpp"

#include "modules/nn/registry.hpp"

namespace fovea::golden {
namespace {

// Where a block's channel count stands and what its options are called in the file. A pair with an empty option says that the
// file's value must equal `fixed`.
struct Option {
  std::string theirs, ours, fixed = {};
};
struct Adapter {
  std::string module, block, channels;
  std::vector<Option> options;
};

const std::vector<Adapter>& adapters() {
  static const std::vector<Adapter> all{
      {"AAB",
       "a2n_aab",
       "nf",
       {{"reduction", "reduction"}, {"t", "temperature"}, {"non_attention_kernel", "plain_kernel"}, {"K", "", "2"}}},
      {"AttentionBranch", "attention_branch", "nf", {{"k_size", "kernel"}}},
      {"PA", "pixel_attention", "nf", {}},
      {"AAN", "a2n", "", {{"scale", "scale"}, {"nf", "width"}, {"unf", "tail_width"}, {"nb", "blocks"}}},
  };
  return all;
}

std::string text(const nlohmann::json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

}  // namespace

std::unique_ptr<Block> make(const std::string& module, const nlohmann::json& hyper, const Scope& scope) {
  for (const Adapter& a : adapters()) {
    if (a.module != module) continue;
    std::map<std::string, std::string> values;
    for (const Option& o : a.options) {
      if (!hyper.contains(o.theirs)) continue;
      const std::string given = text(hyper.at(o.theirs));
      if (o.ours.empty()) check(given == o.fixed, module, ": ", o.theirs, " is ", given, ", supported is ", o.fixed);
      else values[o.ours] = given;
    }
    const std::int64_t channels = a.channels.empty() ? 3 : hyper.at(a.channels).get<std::int64_t>();
    return Registry::global().make(a.block, scope, channels, Args(module, values));
  }
  return nullptr;
}

}  // namespace fovea::golden
