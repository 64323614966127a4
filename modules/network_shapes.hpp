// A recipe's network by shapes alone: what it would take is counted, and refused where it is too much, before any memory is taken for it.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "modules/network.hpp"

namespace fovea {

class NetworkShapes {
 public:
  // Of the recipe's `model`, as Network takes it. OverBudget where the parameters would take more than memory_limit() or are too many.
  NetworkShapes(const Yaml& model, std::int64_t channels);

  const Network& network() const { return *network_; }
  // Error unless these are the network's parameters, as ParamStore::load says it.
  void check_stored(const std::map<std::string, Shape>& stored) const;
  // OverBudget where a run on one picture of that size, or of the backbone's own `size` where that is larger, would take more than
  // memory_limit() for its values and the parameters, or more steps than a network has. A size that the network refuses is left to the run.
  void check_run(std::int64_t height, std::int64_t width) const;

 private:
  std::shared_ptr<ParamStore> params_;
  std::int64_t own_size_ = 0;
  std::unique_ptr<Network> network_;
};

// Bytes of the values that are alive at once, at the most: each from the step that makes it to the last that reads it, in f32.
std::uint64_t peak_bytes(const Trace& trace);

}  // namespace fovea
