#include "modules/network.hpp"

#include "modules/nn/registry.hpp"

namespace fovea {
namespace {

std::vector<SlotRule> read_rules(const Yaml& attention) {
  std::vector<SlotRule> rules;
  for (const Yaml& item : attention.items()) {
    SlotRule rule;
    rule.where = item.where();
    rule.at = item.at("at").scalar();
    rule.type = item.at("type").scalar();
    rule.args = item.args();
    rule.args.get("at", "", "glob of slots");
    rule.args.get("type", "", "which block");
    const std::string start = rule.args.get("start", "fresh", "fresh, or identity: the block begins as a no-op");
    check(start == "fresh" || start == "identity", rule.where, ": start: expected fresh or identity, got '", start, "'");
    rule.identity = start == "identity";
    rules.push_back(std::move(rule));
  }
  return rules;
}

// The block that `part` (a backbone or head of the recipe) names; `more` reads the part's further keys.
template <class More>
std::unique_ptr<Block> make_part(const Yaml& part, Kind kind, const Scope& scope, std::int64_t channels, const More& more) {
  const std::string type = part.at("type").scalar();
  PathScope where(part.where());
  const Registry::Entry& entry = Registry::global().at(type);
  check(entry.kind == kind, "'", type, "' is no ", name_of(kind), " but a ", name_of(entry.kind));
  Args args = part.args();
  args.get("type", "", "which one");
  auto made = entry.make(scope, args.get("channels", static_cast<int>(channels), "channels of the input"), args);
  more(*made, args);
  args.done();
  return made;
}

}  // namespace

Network::Network(const Yaml& model, const std::shared_ptr<ParamStore>& store) {
  model.only({"backbone", "attention", "head"});
  rules_ = std::make_shared<SlotRules>(model.has("attention") ? read_rules(model.at("attention")) : std::vector<SlotRule>{});
  std::int64_t channels = 3;
  Scope root(store, "", rules_), head = root;
  if (model.has("backbone")) {
    owner_ = make_part(model.at("backbone"), Kind::backbone, root / "backbone", 3, [&](Block& made, Args& args) {
      auto& backbone = dynamic_cast<Backbone&>(made);
      backbone_ = &backbone;
      const auto names = args.list("features", std::vector<std::string>{}, "feature maps for the head; the last unless given");
      if (!names.empty()) backbone.select(names);
    });
    channels = backbone_->selected().back().channels;
    head = root / "head";
  }
  head_ = make_part(model.at("head"), Kind::head, head, channels, [](Block&, Args&) {});
  rules_->check_all_used();
}

Var Network::operator()(const Var& x) const {
  if (!backbone_) return (*head_)(x);
  const Block& backbone = *backbone_;
  return (*head_)(backbone(Vars{x})).front();
}

}  // namespace fovea
