// Constants that the plans of one network share: a weight reordered for some kernel exists once, however many plans read it (for other
// input shapes, kept taps or numbers of threads), and as long as one of them exists.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "modules/core/tensor.hpp"

namespace fovea::plan {

class SharedConstants {
 public:
  // The constant named `key`, from `make` where no plan holds it. The key must name all that values and layout depend on; a constant with
  // an empty key is not shared. Any thread; two that ask for a new one at the same time may both make it, and then share one.
  std::shared_ptr<const Tensor> get(const std::string& key, const std::function<Tensor()>& make);
  std::size_t bytes() const;  // of those that plans hold now

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::weak_ptr<const Tensor>> entries_;
  std::uint64_t unnamed_ = 0;
};

}  // namespace fovea::plan
