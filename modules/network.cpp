#include "modules/network.hpp"

#include "modules/nn/registry.hpp"

namespace fovea {
namespace {

// Widths, sides and counts of a network: what has no range of its own is at least refused where products of it would not fit.
constexpr Args::Range kSizes{-1, 65536};

std::vector<SlotRule> read_rules(const Yaml& attention) {
  std::vector<SlotRule> rules;
  for (const Yaml& item : attention.items()) {
    SlotRule rule;
    rule.where = item.where();
    rule.at = item.at("at").scalar();
    rule.type = item.at("type").scalar();
    rule.args = item.args();
    rule.args.bound(kSizes);
    rule.args.get("at", "", "glob of slots");
    rule.args.get("type", "", "which block");
    const std::string start = rule.args.get("start", "fresh", "fresh, or identity: the block begins as a no-op");
    check(start == "fresh" || start == "identity", rule.where, ": start: expected fresh or identity, got '", start, "'");
    rule.identity = start == "identity";
    rules.push_back(std::move(rule));
  }
  return rules;
}

// The block that `part` (backbone, neck or head of the recipe) names.
struct Part {
  const Yaml& yaml;
  const Registry::Entry& entry;
  Args args;

  Part(const Yaml& part, std::initializer_list<Kind> kinds) : yaml(part), entry(entry_of(part)), args(part.args()) {
    std::string wanted;
    bool fits = false;
    for (const Kind k : kinds) fits |= entry.kind == k, wanted += (wanted.empty() ? "" : " or ") + std::string(name_of(k));
    check(fits, part.where(), ": '", entry.name, "' is a ", name_of(entry.kind), "; expected a ", wanted);
    args.bound(kSizes);
    args.get("type", "", "which one");
  }
  std::unique_ptr<Block> make(const Scope& scope, Features features) {
    const PathScope where(yaml.where());
    auto made = entry.make(scope, features, args);
    args.done();
    return made;
  }

 private:
  static const Registry::Entry& entry_of(const Yaml& part) {
    const PathScope where(part.where());
    return Registry::global().at(part.at("type").scalar());
  }
};

}  // namespace

Network::Network(const Yaml& model, const std::shared_ptr<ParamStore>& store, std::int64_t channels) : channels_(channels) {
  model.only({"backbone", "neck", "attention", "head"});
  rules_ = std::make_shared<SlotRules>(model.has("attention") ? read_rules(model.at("attention")) : std::vector<SlotRule>{});
  const Scope root(store, "", rules_);
  const bool whole = !model.has("backbone");
  std::vector<Feature> features{{"image", channels_, 1}};
  if (!whole) {
    Part part(model.at("backbone"), {Kind::backbone});
    channels_ = features[0].channels = part.args.get("in", static_cast<int>(channels), "channels of the image");
    const auto names =
        part.args.list("features", std::vector<std::string>{}, "feature maps for neck or head; the last unless given");
    parts_.push_back(part.make(root / "backbone", features));
    auto& backbone = dynamic_cast<Backbone&>(*parts_.back());
    backbone_ = &backbone;
    const PathScope where(part.yaml.where());
    if (!names.empty()) backbone.select(names);
    features = backbone.selected();
  }
  if (model.has("neck")) {
    check(!whole, model.at("neck").where(), ": a neck stands behind a backbone, and this network has none");
    parts_.push_back(Part(model.at("neck"), {Kind::neck}).make(root / "neck", features));
    features = dynamic_cast<const Neck&>(*parts_.back()).features();
  }
  Part head(model.at("head"),
            whole ? std::initializer_list<Kind>{Kind::network, Kind::head} : std::initializer_list<Kind>{Kind::head});
  parts_.push_back(head.make(whole ? root : root / "head", features));
  head_ = &dynamic_cast<const Head&>(*parts_.back());
  rules_->check_all_used();
}

Vars Network::operator()(const Var& x) const {
  check(x.shape().rank() == 4 && x.dim(1) == channels_, "expected images N x ", channels_, " x H x W, got ", x.shape());
  Vars values{x};
  for (const auto& part : parts_) values = (*part)(values);
  const std::size_t given = head_->info().given().size();
  check(values.size() == given, "head: expected ", given, " outputs, got ", values.size());
  return values;
}

}  // namespace fovea
