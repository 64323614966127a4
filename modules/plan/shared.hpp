// The constants that the plans of one network share: a weight in the layout of some primitive is there once, however many plans read
// it (for other input shapes, other kept taps, other lanes), and as long as one of them does.
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
  // The constant that `key` names, made where no plan holds it. A key says all that the values and their layout depend on; what has
  // an empty one is made for its plan alone. Any thread: two that want a new one at once may both make it, and share one then.
  std::shared_ptr<const Tensor> get(const std::string& key, const std::function<Tensor()>& make);
  std::size_t bytes() const;  // that plans hold now

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::weak_ptr<const Tensor>> entries_;
  std::uint64_t unnamed_ = 0;
};

}  // namespace fovea::plan
