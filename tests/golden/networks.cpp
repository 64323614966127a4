#include <regex>

#include "modules/io/yaml.hpp"
#include "modules/network.hpp"
#include "tests/golden/modules.hpp"

namespace fovea::golden {
namespace {

class Whole final : public Block {
 public:
  Whole(const std::string& recipe, const Scope& s) : Block(s), network_(Yaml::parse(recipe, "golden").at("model"), s.store()) {}

 protected:
  Vars forward(const Vars& in) const override { return {network_(in.at(0))}; }

 private:
  Network network_;
};

// Renames by the first rule that matches the whole name; the rest goes under "backbone.".
using Rules = std::vector<std::pair<std::string, std::string>>;

Subject network(const Scope& s, const std::string& model, Rules rules) {
  Subject subject{std::make_unique<Whole>("model:\n" + model, s)};
  subject.rename = [rules = std::move(rules)](const std::string& name) -> std::string {
    for (const auto& [from, to] : rules)
      if (const std::regex pattern(from); std::regex_match(name, pattern)) return std::regex_replace(name, pattern, to);
    return "backbone." + name;
  };
  return subject;
}

std::string list_of(const nlohmann::json& values) { return values.dump(); }

const Rules kFc{{"fc\\.(.*)", "head.fc.$1"}};

}  // namespace

void add_networks(Adapters& all) {
  all.add("AAN", "haoyuc/A2N", [](const Case& c, const Scope& s) {
    return Subject{make("a2n", c, s, 3, {{"scale", "scale"}, {"nf", "width"}, {"unf", "tail_width"}, {"nb", "blocks"}})};
  });
  all.add("resnet18", "pytorch/vision", [](const Case& c, const Scope& s) {
    return network(s,
                   "  backbone: {type: resnet18, widths: " + list_of(c.hyper.at("widths")) +
                       "}\n  head: {type: classify, classes: " + text(c.hyper.at("num_classes")) + "}\n",
                   kFc);
  });
  all.add("mobilenet_v2", "pytorch/vision", [](const Case& c, const Scope& s) {
    return network(s,
                   "  backbone: {type: mobilenet_v2, width: " + text(c.hyper.at("width_mult")) +
                       "}\n  head: {type: classify, classes: " + text(c.hyper.at("num_classes")) + ", dropout: 0.2}\n",
                   {{"classifier\\.1\\.(.*)", "head.fc.$1"}});
  });
}

}  // namespace fovea::golden
