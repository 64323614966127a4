// Blocks and networks by name. A file says
//   FOVEA_BLOCK(cbam, "channel gate, then spatial gate", "Woo et al. 2018, arXiv:1807.06521") { ...; return std::make_unique<Cbam>(...); }
// with `scope`, `channels` and `args` at hand; the build lists these files and calls each once.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "modules/nn/block.hpp"

namespace fovea {

class Registry {
 public:
  using Make = std::function<std::unique_ptr<Block>(const Scope& scope, std::int64_t channels, Args& args)>;
  struct Entry {
    std::string name, text, paper;
    Make make;
  };

  static const Registry& global();

  void add(Entry entry);
  const Entry& at(const std::string& name) const;  // Error with the nearest name
  std::vector<std::string> names() const;
  // Makes a block; options that it does not know are errors.
  std::unique_ptr<Block> make(const std::string& name, const Scope& scope, std::int64_t channels, Args args = {}) const;

 private:
  std::map<std::string, Entry> entries_;
};

// Defined by the build from the list of files.
void register_all(Registry& registry);

#define FOVEA_BLOCK(name, text, paper)                                                                                   \
  static std::unique_ptr<Block> make_##name(const Scope& scope, std::int64_t channels, Args& args);                      \
  void register_##name(Registry& registry) { registry.add({#name, text, paper, make_##name}); }                          \
  static std::unique_ptr<Block> make_##name([[maybe_unused]] const Scope& scope, [[maybe_unused]] std::int64_t channels, \
                                            [[maybe_unused]] Args& args)

}  // namespace fovea
