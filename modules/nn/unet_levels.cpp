#include "modules/nn/unet_levels.hpp"

#include "modules/nn/registry.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/resize.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

Conv2d::Options conv3x3(std::int64_t in, std::int64_t out) { return {.in = in, .out = out, .kernel = 3, .pad = 1}; }

std::string named(const char* what, int level) { return what + std::to_string(level); }

}  // namespace

UNetLevel::UNetLevel(const Scope& s, std::int64_t in, std::int64_t out, const DropBlock::Options& drop)
    : conv0_(s / "conv", "0", conv3x3(in, out)),
      bn1_(s / "conv" / 1, out),
      conv3_(s / "conv", "3", conv3x3(out, out)),
      bn4_(s / "conv" / 4, out),
      drop_(drop),
      after_(s, "after_stage", out) {}

Var UNetLevel::operator()(const Var& x) const {
  const Var first = relu(bn1_(drop_(conv0_(x))));
  return after_(relu(bn4_(drop_(conv3_(first)))));
}

UNetJoin::UNetJoin(const Scope& s, const UNetJoinOptions& o)
    : conv_(s / named("Up", o.level) / "up", "1", conv3x3(o.in, o.out)),
      bn_(s / named("Up", o.level) / "up" / 2, o.out),
      skip_(o.skip > 0 ? std::optional<Slot>(std::in_place, s / named("Up_conv", o.level), "skip", o.skip) : std::nullopt),
      level_(s / named("Up_conv", o.level), o.out + o.skip, o.out, o.drop) {
  if (o.gate == "none" || o.skip == 0) return;
  Args args("", {});
  args.suggest("gate_channels", std::to_string(o.out));
  args.suggest("inter_channels", std::to_string(o.gate_inner));
  gate_ = Registry::global().make(o.gate, s / named("Att", o.level), o.skip, std::move(args));
  takes_two_ = Registry::global().at(o.gate).kind == Kind::gate;
}

Var UNetJoin::enlarged(const Var& x, std::int64_t height, std::int64_t width) const {
  return relu(bn_(conv_(resize(x, height, width, Resize::nearest))));
}

Var UNetJoin::operator()(const Var& x, const Var& encoded) const {
  const Var up = enlarged(x, encoded.dim(2), encoded.dim(3));
  Var skip = (*skip_)(encoded);
  if (gate_) skip = (*gate_)(takes_two_ ? Vars{skip, up} : Vars{skip}).front();
  return level_(concat({skip, up}, 1));
}

Var UNetJoin::operator()(const Var& x) const { return level_(enlarged(x, 2 * x.dim(2), 2 * x.dim(3))); }

}  // namespace fovea
