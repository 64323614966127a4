#include "modules/nn/catalogue.hpp"

#include "modules/autograd/apply.hpp"
#include "modules/nn/backbone.hpp"

namespace fovea {
namespace {

constexpr std::int64_t kPicture = 224;

// What an entry cannot do without.
Args defaults(const Registry::Entry& entry, std::int64_t channels) {
  if (entry.kind == Kind::head) return {entry.name, {{"classes", "10"}, {"scale", "2"}}};
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
  if (kind == Kind::backbone) return {{1, 3, kPicture, kPicture}};
  return {map};
}

// Backbones, and networks in one head.
bool takes_pictures(const Registry::Entry& entry) {
  return entry.kind == Kind::backbone || (entry.kind == Kind::head && entry.text.find("super-resolution") != std::string::npos);
}

}  // namespace

Described describe(const Registry::Entry& entry, std::int64_t given, std::int64_t side) {
  Described d{entry.name, entry.text, entry.paper, entry.kind, {}, "", -1, -1};
  auto store = std::make_shared<ParamStore>();
  const std::int64_t channels = takes_pictures(entry) ? 3 : given;
  Args args = defaults(entry, channels);
  try {
    const auto block = entry.make(Scope(store) / entry.name, channels, args);
    d.parameters = store->count();
    d.multiply_adds = trace(inputs_of(entry.kind, channels, side), [&](const Vars& in) { return (*block)(in); }).multiply_adds();
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
    case Kind::head: return "model.head";
    case Kind::part: return "inside other blocks";
  }
  return "";
}

}  // namespace fovea
