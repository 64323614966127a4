// What the viewer of a live run may change while it runs.
#pragma once

#include <mutex>
#include <string>
#include <utility>

namespace fovea {

struct LiveSettings {
  double threshold = 0.5;  // 0..1
  double opacity = 0.5;    // of the layer, 0..1
  std::string layer;       // that lies over the picture; a name that stands for nothing ("none"), or a map's
};

// The settings of a run: whoever sets them does so at any time, and the next frame follows. Any thread.
class SharedSettings {
 public:
  explicit SharedSettings(LiveSettings settings) : settings_(std::move(settings)) {}

  LiveSettings get() const {
    std::lock_guard lock(mutex_);
    return settings_;
  }
  void set(LiveSettings settings) {
    std::lock_guard lock(mutex_);
    settings_ = std::move(settings);
  }

 private:
  mutable std::mutex mutex_;
  LiveSettings settings_;
};

}  // namespace fovea
