#include "modules/nn/catalogue.hpp"

#include "modules/autograd/apply.hpp"
#include "modules/core/budget.hpp"
#include "modules/nn/backbone.hpp"

namespace fovea {
namespace {

constexpr std::int64_t kPicture = 224, kColours = 3;

// What an entry cannot do without.
Args defaults(const Registry::Entry& entry, std::int64_t channels) {
  if (entry.kind == Kind::head) return {entry.name, {{"classes", "10"}}};
  if (entry.kind == Kind::network) return {entry.name, {{"scale", "2"}}};
  Args args;
  const std::string width = std::to_string(channels);
  if (entry.kind == Kind::levels) args.suggest("levels", "1");
  if (entry.kind == Kind::gate) args.suggest("gate_channels", width);
  if (entry.kind == Kind::conv) args.suggest("out", width), args.suggest("kernel", "3"), args.suggest("pad", "1");
  return args;
}

Shapes inputs_of(Kind kind, std::int64_t channels, std::int64_t side) {
  const Shape map{1, channels, side, side};
  if (kind == Kind::tokens) return {{1, side * side, channels}};
  if (kind == Kind::gate) return {map, map};
  if (kind == Kind::backbone) return {{1, kColours, kPicture, kPicture}};
  return {map};
}

}  // namespace

Described describe(const Registry::Entry& entry, std::int64_t given, std::int64_t side) {
  Described d{entry.name, entry.text, entry.paper, entry.kind, {}, "", -1, -1};
  const auto store = ParamStore::of_shapes();
  const ShapeBudget tables(UINT64_MAX);  // of values there are only shapes
  const std::int64_t channels = entry.kind == Kind::backbone || entry.kind == Kind::network ? kColours : given;
  Args args = defaults(entry, channels);
  try {
    const Feature map{"map", channels, 1};
    const auto block = entry.make(Scope(store) / entry.name, Features(&map, 1), args);
    d.parameters = store->count();
    if (entry.kind != Kind::sequences)  // whose inputs are of any number and length
      d.multiply_adds =
          trace(inputs_of(entry.kind, channels, side), [&](const Vars& in) { return (*block)(in); }).multiply_adds();
  } catch (const Error& e) { d.error = e.what(); }
  d.options = args.described();
  return d;
}

const char* place_of(Kind kind) {
  switch (kind) {
    case Kind::map: return "any slot";
    case Kind::tokens: return "any slot (a map's positions become tokens)";
    case Kind::conv: return "a convolution's slot, in its place; any other slot";
    case Kind::gate: return "any slot (the map gates itself), the joints of unet";
    case Kind::levels: return "any slot (one level)";
    case Kind::backbone: return "model.backbone";
    case Kind::neck: return "model.neck";
    case Kind::head: return "model.head";
    case Kind::network: return "model.head, without a backbone";
    case Kind::part: return "inside other blocks";
    case Kind::sequences: return "no slot: programs give it its sequences";
  }
  return "";
}

}  // namespace fovea
