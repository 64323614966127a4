// Which block of ours a golden file's `module` is, and how its inputs, outputs, parameters and options are called here.
// One file a family (channel.cpp, hybrid.cpp, ...) adds its adapters.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "modules/nn/block.hpp"

namespace fovea::golden {

// What a file says about itself.
struct Case {
  std::string name, module, repo, path, mode, note;
  nlohmann::json hyper;
  std::vector<std::string> inputs;                                    // names after "input/", alphabetical; "" for a single one
  std::function<Shape(const std::string& parameter)> parameter = {};  // shape of a stored parameter; rank 0 when absent
};

struct Subject {
  std::unique_ptr<Block> block = {};
  std::vector<std::string> inputs = {};          // order in which the block takes them; empty: alphabetical
  std::vector<std::string> outputs = {};         // the file's names of its outputs; empty: alphabetical
  std::map<std::string, std::string> taps = {};  // the file's attention maps -> glob of our tap; else the same name
  std::function<std::string(const std::string& name)> rename = {};  // the file's parameter -> ours; "": has none here
};

using Make = std::function<Subject(const Case&, const Scope&)>;

class Adapters {
 public:
  // `repo` distinguishes modules of one name: a part of the file's repository; empty: any.
  void add(std::string module, std::string repo, Make make) {
    entries_.push_back({std::move(module), std::move(repo), std::move(make)});
  }
  // Null when nothing here is called so.
  const Make* find(const Case& c) const;

 private:
  struct Entry {
    std::string module, repo;
    Make make;
  };
  std::vector<Entry> entries_;
};

// All families.
const Adapters& adapters();

// A scalar hyper-parameter as a recipe would write it.
std::string text(const nlohmann::json& value);

// The registered block `block`, its options taken from the hyper-parameters by the given names {theirs, ours}; absent ones are left out.
std::unique_ptr<Block> make(const std::string& block, const Case& c, const Scope& scope, std::int64_t channels,
                            const std::vector<std::pair<std::string, std::string>>& options = {},
                            std::map<std::string, std::string> fixed = {});

// A function as a block, for cases that are no module: sparsemax, attention without parameters.
std::unique_ptr<Block> function(const Scope& scope, std::function<Vars(const Vars&)> f);

void add_channel(Adapters& all);
void add_spatial(Adapters& all);
void add_hybrid(Adapters& all);
void add_har(Adapters& all);
void add_gates(Adapters& all);
void add_global(Adapters& all);
void add_linear(Adapters& all);
void add_multi_head(Adapters& all);
void add_windows(Adapters& all);
void add_sparse(Adapters& all);
void add_cross(Adapters& all);
void add_monotonic(Adapters& all);
void add_networks(Adapters& all);

}  // namespace fovea::golden
