// Names of parameters from elsewhere under ours: PyTorch's torchvision and timm, and authors' own repositories.
// A rule is a pattern and what it becomes. In the pattern `*` stands for characters without a dot, `**` for any characters; the n-th of them
// is $n in the result. A `*` in the result stands for any one part of a name that the network really has ("pre_add.*.fc1.weight": whatever
// block the recipe put there). The first rule that matches counts; an empty result means: known, and not needed.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "modules/nn/scope.hpp"
#include "modules/nn/slot.hpp"

namespace fovea {

struct NameRule {
  std::string from, to;
};

struct NameMap {
  std::string backbone;  // family: "resnet" stands for resnet18, resnet50, ... too
  std::string source;    // "torchvision"
  std::string sign;      // a name that only files of this kind have, as a pattern
  std::vector<NameRule> rules;
};

// All tables (name_tables.cpp).
const std::vector<NameMap>& name_maps();
// Those for a backbone's registered name, "" for a head alone; the last one, "fovea", leaves names as they are.
std::vector<NameMap> name_maps_for(const std::string& backbone);

// What `name` becomes; nullopt when no rule matches. A star in the result stays: see resolve().
std::optional<std::string> renamed(const std::vector<NameRule>& rules, const std::string& name);
// The declared name that `name` with its stars means; `name` itself when there is none.
std::string resolve(const std::string& name, const ParamStore& params);

// A YAML list of {from: pattern, to: result}; Error with file and line.
std::vector<NameRule> read_name_rules(const std::string& text, const std::string& file);

// Error when a floating tensor holds NaN or infinity.
void check_finite(const std::string& name, const Tensor& value);

// What becomes of the first layer's weights where the network takes another number of channels than the three colours of the file's.
enum class StemChannels : std::uint8_t {
  refuse,
  sum,    // one channel: the sum over the colours, which sees grey as the three equal colours that it is
  repeat  // any number: the colours over and over, times 3 / channels, so that the sums keep their size
};

struct ImportOptions {
  StemChannels stem = StemChannels::refuse;
  std::vector<NameRule> own;  // before the tables' rules
  bool partial = false;       // what is missing, unused or of another shape is reported instead of refused
};

struct ImportReport {
  std::string source;                   // which table: "torchvision"
  std::string prefix;                   // of their names, that was taken off: "module.model."; a file may hold several networks
  std::vector<std::string> loaded;      // our names
  std::vector<std::string> missing;     // ours, without a value outside slots and heads
  std::vector<std::string> in_slots;    // ours, of blocks in slots: fresh
  std::vector<std::string> fresh_head;  // ours, of a head that the file does not have, or has for other classes
  std::vector<std::string> reshaped;    // "name: expected shape, got shape" outside the head
  std::vector<std::string> unused;      // theirs
  std::string stem;                     // "conv1.weight: 3 channels summed into 1"; empty where it fitted
};

// Puts a file's tensors into a network of the given backbone ("" for a head alone). Blocks in slots may be fresh, and a head whose shapes
// differ; anything else missing, unused or of another shape is an error that names it, as are tensors that hold NaN or infinity and
// files of another network.
ImportReport import_weights(ParamStore& params, const std::vector<SlotRules::Offer>& slots, const std::string& backbone,
                            const std::map<std::string, Tensor>& tensors, const ImportOptions& options);

}  // namespace fovea
