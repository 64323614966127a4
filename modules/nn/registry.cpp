#include "modules/nn/registry.hpp"

namespace fovea {

const char* name_of(Kind kind) {
  constexpr const char* kNames[] = {"map",      "tokens", "conv", "gate",    "levels",   "part",
                                    "backbone", "neck",   "head", "network", "sequences"};
  return kNames[static_cast<int>(kind)];
}

bool fits_slots(Kind kind) { return kind < Kind::part; }

namespace {

Registry& the_registry() {
  static Registry& registry = *[] {
    auto* r = new Registry;
    register_all(*r);
    return r;
  }();
  return registry;
}

}  // namespace

const Registry& Registry::global() { return the_registry(); }

void Registry::extend(void (*register_block)(Registry&)) { register_block(the_registry()); }

void Registry::add(Entry entry) {
  const std::string name = entry.name;
  check(entries_.emplace(name, std::move(entry)).second, "registry: '", name, "' is registered twice");
}

const Registry::Entry& Registry::at(const std::string& name) const {
  const auto it = entries_.find(name);
  if (it != entries_.end()) return it->second;
  const std::string near = nearest(name, names());
  fail("no block or network is called '", name, "'", near.empty() ? "" : "; did you mean '" + near + "'?");
}

std::vector<std::string> Registry::names() const {
  std::vector<std::string> out;
  for (const auto& [name, entry] : entries_) out.push_back(name);
  return out;
}

std::vector<std::string> Registry::names(Kind kind) const {
  std::vector<std::string> out;
  for (const auto& [name, entry] : entries_)
    if (entry.kind == kind) out.push_back(name);
  return out;
}

std::unique_ptr<Block> Registry::make(const std::string& name, const Scope& scope, std::int64_t channels, Args args) const {
  const Feature map{"map", channels, 1};
  return make(name, scope, Features(&map, 1), std::move(args));
}

std::unique_ptr<Block> Registry::make(const std::string& name, const Scope& scope, Features features, Args args) const {
  auto block = at(name).make(scope, features, args);
  args.done();
  return block;
}

}  // namespace fovea
