#include "tests/golden/modules.hpp"

#include "modules/nn/registry.hpp"

namespace fovea::golden {
namespace {

class Function final : public Block {
 public:
  Function(const Scope& s, std::function<Vars(const Vars&)> f) : Block(s), f_(std::move(f)) {}

 protected:
  Vars forward(const Vars& in) const override { return f_(in); }

 private:
  std::function<Vars(const Vars&)> f_;
};

}  // namespace

const Make* Adapters::find(const Case& c) const {
  const auto stands_for = [](const std::string& name, const std::string& module) {
    const bool open = !name.empty() && name.back() == '*';
    return open ? module.rfind(name.substr(0, name.size() - 1), 0) == 0 : name == module;
  };
  for (const Entry& e : entries_)
    if (stands_for(e.module, c.module) && (c.repo.empty() || c.repo.find(e.repo) != std::string::npos)) return &e.make;
  return nullptr;
}

const Adapters& adapters() {
  static const Adapters all = [] {
    Adapters a;
    for (auto add : {add_channel, add_spatial, add_hybrid, add_har, add_gates, add_global, add_linear, add_multi_head,
                     add_windows, add_sparse, add_cross, add_monotonic, add_networks})
      add(a);
    return a;
  }();
  return all;
}

std::string text(const nlohmann::json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

std::unique_ptr<Block> make(const std::string& block, const Case& c, const Scope& scope, std::int64_t channels,
                            const std::vector<std::pair<std::string, std::string>>& options,
                            std::map<std::string, std::string> fixed) {
  for (const auto& [theirs, ours] : options)
    if (c.hyper.contains(theirs)) fixed[ours] = text(c.hyper.at(theirs));
  return Registry::global().make(block, scope, channels, Args(c.module, std::move(fixed)));
}

std::unique_ptr<Block> function(const Scope& scope, std::function<Vars(const Vars&)> f) {
  return std::make_unique<Function>(scope, std::move(f));
}

}  // namespace fovea::golden
