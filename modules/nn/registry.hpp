// Blocks and networks by name. A file says
//   FOVEA_BLOCK(cbam, "channel gate, then spatial gate", "Woo et al. 2018, arXiv:1807.06521") { ...; return std::make_unique<Cbam>(...); }
// with `scope`, `channels` and `args` at hand; the build lists these files and calls each once. The other macros say what else
// the thing can be:
//   FOVEA_BLOCK         one map N x C x H x W in, one of the same shape out: fits every slot
//   FOVEA_TOKEN_BLOCK   tokens N x L x C in and out; a slot turns its map into tokens and back
//   FOVEA_CONV_BLOCK    stands for a convolution: reads the options out, kernel, stride, pad, dilation, groups and may change the shape
//   FOVEA_GATE_BLOCK    takes a map x and a gating map g, gives x gated; in a slot of one map it gates the map with itself
//   FOVEA_LEVELS_BLOCK  takes the maps of several levels; in a slot it gets one level
//   FOVEA_SEQUENCES     takes several sequences, or a vector and a sequence; programs call it, no slot has so many inputs
//   FOVEA_PART          a part that only other blocks make; in no list of blocks for slots
//   FOVEA_BACKBONE      takes an image of `channels` channels
//   FOVEA_NECK          takes `features`, what the backbone gives
//   FOVEA_HEAD          takes `features`, what the backbone or the neck gives
//   FOVEA_NETWORK       a head that is a whole network: its one feature is the image
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "modules/nn/block.hpp"
#include "modules/nn/feature.hpp"

namespace fovea {

enum class Kind : std::uint8_t { map, tokens, conv, gate, levels, part, backbone, neck, head, network, sequences };
const char* name_of(Kind kind);
bool fits_slots(Kind kind);  // whether a recipe may put such a block into a slot

class Registry {
 public:
  using Make = std::function<std::unique_ptr<Block>(const Scope& scope, Features features, Args& args)>;
  struct Entry {
    std::string name, text, paper;
    Make make;  // most blocks look at the channels of one feature alone
    Kind kind = Kind::map;
  };

  static const Registry& global();
  // Adds a block of a program's own to it, so that recipes may name it: Registry::extend(register_mean_gate), where FOVEA_BLOCK(mean_gate,
  // ...) made that function. At the start of the program, before any thread builds a network. Error when the name is taken.
  static void extend(void (*register_block)(Registry&));

  void add(Entry entry);
  const Entry& at(const std::string& name) const;  // Error with the nearest name
  std::vector<std::string> names() const;
  std::vector<std::string> names(Kind kind) const;
  // Makes a block on a map of so many channels, or on features; options that it does not know are errors.
  std::unique_ptr<Block> make(const std::string& name, const Scope& scope, std::int64_t channels, Args args = {}) const;
  std::unique_ptr<Block> make(const std::string& name, const Scope& scope, Features features, Args args = {}) const;

 private:
  std::map<std::string, Entry> entries_;
};

// Defined by the build from the list of files.
void register_all(Registry& registry);

#define FOVEA_REGISTER_ON_FEATURES(name, kind, text, paper)                                                          \
  static std::unique_ptr<Block> make_##name(const Scope& scope, Features features, Args& args);                      \
  void register_##name(Registry& registry) { registry.add({#name, text, paper, make_##name, kind}); }                \
  static std::unique_ptr<Block> make_##name([[maybe_unused]] const Scope& scope, [[maybe_unused]] Features features, \
                                            [[maybe_unused]] Args& args)
#define FOVEA_REGISTER(name, kind, text, paper)                                                                                \
  static std::unique_ptr<Block> make_##name(const Scope& scope, std::int64_t channels, Args& args);                            \
  void register_##name(Registry& registry) {                                                                                   \
    registry.add(                                                                                                              \
        {#name, text, paper,                                                                                                   \
         [](const Scope& scope, Features features, Args& args) { return make_##name(scope, features.back().channels, args); }, \
         kind});                                                                                                               \
  }                                                                                                                            \
  static std::unique_ptr<Block> make_##name([[maybe_unused]] const Scope& scope, [[maybe_unused]] std::int64_t channels,       \
                                            [[maybe_unused]] Args& args)

#define FOVEA_BLOCK(name, text, paper) FOVEA_REGISTER(name, Kind::map, text, paper)
#define FOVEA_TOKEN_BLOCK(name, text, paper) FOVEA_REGISTER(name, Kind::tokens, text, paper)
#define FOVEA_CONV_BLOCK(name, text, paper) FOVEA_REGISTER(name, Kind::conv, text, paper)
#define FOVEA_GATE_BLOCK(name, text, paper) FOVEA_REGISTER(name, Kind::gate, text, paper)
#define FOVEA_LEVELS_BLOCK(name, text, paper) FOVEA_REGISTER(name, Kind::levels, text, paper)
#define FOVEA_SEQUENCES(name, text, paper) FOVEA_REGISTER(name, Kind::sequences, text, paper)
#define FOVEA_PART(name, text, paper) FOVEA_REGISTER(name, Kind::part, text, paper)
#define FOVEA_BACKBONE(name, text, paper) FOVEA_REGISTER(name, Kind::backbone, text, paper)
#define FOVEA_NECK(name, text, paper) FOVEA_REGISTER_ON_FEATURES(name, Kind::neck, text, paper)
#define FOVEA_HEAD(name, text, paper) FOVEA_REGISTER_ON_FEATURES(name, Kind::head, text, paper)
#define FOVEA_NETWORK(name, text, paper) FOVEA_REGISTER_ON_FEATURES(name, Kind::network, text, paper)

}  // namespace fovea
