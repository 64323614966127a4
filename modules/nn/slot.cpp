#include "modules/nn/slot.hpp"

#include <algorithm>
#include <set>

#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/permute.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/slice.hpp"

namespace fovea {
namespace {

constexpr std::size_t kListed = 40;  // slots that a message names before it counts the rest

// Rule by rule, so that two blocks of one type in a slot get different positions.
std::string place_of(const SlotRule& rule, std::set<std::string>& taken) {
  std::string place = rule.type;
  for (int i = 2; !taken.insert(place).second; ++i) place = rule.type + "_" + std::to_string(i);
  return place;
}

Var gain_of(const Scope& scope, const SlotRule& rule) { return rule.identity ? scope.param("start", {1}, init::zeros()) : Var(); }

Var blended(const Var& plain, const Var& changed, const Var& gain) {
  return gain.defined() ? plain + gain * (changed - plain) : changed;
}

std::vector<SlotRule> rules_for(const Scope& scope, const std::string& name, const std::string& kind, std::int64_t channels) {
  return scope.rules() ? scope.rules()->take((scope / name).path(), kind, channels) : std::vector<SlotRule>{};
}

std::vector<Plugged> plugged(const Scope& scope, const std::string& name, const std::vector<SlotRule>& rules,
                             std::int64_t channels) {
  std::vector<Plugged> blocks;
  std::set<std::string> taken;
  for (const SlotRule& rule : rules) blocks.emplace_back(scope / name / place_of(rule, taken), channels, rule);
  return blocks;
}

Var to_tokens(const Var& x) { return reshape(permute(x, {0, 2, 3, 1}), {x.dim(0), x.dim(2) * x.dim(3), x.dim(1)}); }

Var to_map(const Var& x, std::int64_t height, std::int64_t width) {
  return permute(reshape(x, {x.dim(0), height, width, x.dim(2)}), {0, 3, 1, 2});
}

}  // namespace

std::vector<SlotRule> SlotRules::take(const std::string& path, const std::string& kind, std::int64_t channels) {
  Offer offer{path, kind, channels, {}};
  std::vector<SlotRule> out;
  for (SlotRule& rule : rules_)
    if (glob_match(rule.at, path)) {
      ++rule.matched;
      offer.blocks.push_back(rule.type);
      out.push_back(rule);
    }
  offers_.push_back(std::move(offer));
  return out;
}

void SlotRules::check_all_used() const {
  for (const SlotRule& rule : rules_) {
    if (rule.matched > 0) continue;
    std::vector<std::string> paths;
    for (const Offer& o : offers_) paths.push_back(o.path);
    std::string all;
    for (std::size_t i = 0; i < paths.size() && i < kListed; ++i) all += (i ? ", " : "") + paths[i];
    if (paths.size() > kListed) all += ", ... (" + std::to_string(paths.size()) + ")";
    const std::string near = nearest(rule.at, paths);
    fail(rule.where, ": no slot matches '", rule.at, "'", near.empty() ? "" : "; did you mean '" + near + "'?",
         paths.empty() ? "; this network has no slots" : "; the slots are " + all);
  }
}

Plugged::Plugged(const Scope& slot, std::int64_t channels, const SlotRule& rule) {
  const Registry::Entry& entry = Registry::global().at(rule.type);
  check(fits_slots(entry.kind), rule.where, ": '", rule.type, "' is a ", name_of(entry.kind), " and fits no slot");
  Args args = rule.args;
  if (entry.kind == Kind::levels) args.suggest("levels", "1");
  if (entry.kind == Kind::gate) args.suggest("gate_channels", std::to_string(channels));
  if (entry.kind == Kind::conv) args.suggest("out", std::to_string(channels));
  takes_tokens_ = entry.kind == Kind::tokens;
  takes_gate_ = entry.kind == Kind::gate;
  block_ = Registry::global().make(rule.type, slot, channels, std::move(args));
  gain_ = gain_of(slot, rule);
}

Var Plugged::run_map(const Var& x) const {
  if (takes_tokens_) return to_map((*block_)(to_tokens(x)), x.dim(2), x.dim(3));
  const Var y = takes_gate_ ? (*block_)(Vars{x, x}).front() : (*block_)(x);
  check(y.shape() == x.shape(), "a block in a slot must keep the shape ", x.shape(), ", this one gave ", y.shape());
  return y;
}

Var Plugged::map(const Var& x) const { return blended(x, run_map(x), gain_); }

Var Plugged::tokens(const Var& x, std::int64_t height, std::int64_t width) const {
  if (takes_tokens_) return blended(x, (*block_)(x), gain_);
  const std::int64_t prefix = x.dim(1) - height * width;  // a class token has no position on a map: it goes past the block
  const Var patches = prefix > 0 ? slice(x, 1, prefix, x.dim(1)) : x;
  const Var y = to_tokens(map(to_map(patches, height, width)));
  return prefix > 0 ? concat({slice(x, 1, 0, prefix), y}, 1) : y;
}

Slot::Slot(const Scope& scope, const std::string& name, std::int64_t channels)
    : blocks_(plugged(scope, name, rules_for(scope, name, "map", channels), channels)) {}

Var Slot::operator()(const Var& x) const {
  Var y = x;
  for (const Plugged& b : blocks_) y = b.map(y);
  return y;
}

TokenSlot::TokenSlot(const Scope& scope, const std::string& name, std::int64_t channels)
    : blocks_(plugged(scope, name, rules_for(scope, name, "tokens", channels), channels)) {}

Var TokenSlot::operator()(const Var& x, std::int64_t height, std::int64_t width) const {
  Var y = x;
  for (const Plugged& b : blocks_) y = b.tokens(y, height, width);
  return y;
}

ConvSlot::ConvSlot(const Scope& scope, const std::string& name, const Conv2d::Options& o) : before_(scope, "pre_" + name, o.in) {
  std::vector<SlotRule> behind;
  for (const SlotRule& rule : rules_for(scope, name, "conv", o.out)) {
    if (Registry::global().at(rule.type).kind != Kind::conv) {
      behind.push_back(rule);
      continue;
    }
    check(!instead_, rule.where, ": the convolution ", (scope / name).path(), " is already replaced by another block");
    const Scope place = scope / name / rule.type;
    Args args = rule.args;
    const std::pair<const char*, std::int64_t> facts[] = {
        {"out", o.out}, {"kernel", o.kernel}, {"stride", o.stride}, {"dilation", o.dilation}, {"groups", o.groups}};
    for (const auto& [key, value] : facts) args.suggest(key, std::to_string(value));
    args.suggest("pad", std::to_string(o.same ? o.dilation * (o.kernel / 2) : o.pad));
    args.suggest("bias", o.bias ? "true" : "false");
    instead_ = Registry::global().make(rule.type, place, o.in, std::move(args));
    gain_ = gain_of(place, rule);
  }
  after_ = plugged(scope, name, behind, o.out);
  if (!instead_ || gain_.defined()) conv_.emplace(scope / name, o);
}

Var ConvSlot::operator()(const Var& x) const {
  const Var in = before_(x);
  Var y = conv_ ? (*conv_)(in) : Var();
  if (instead_) y = blended(y, (*instead_)(in), gain_);
  for (const Plugged& b : after_) y = b.map(y);
  return y;
}

}  // namespace fovea
