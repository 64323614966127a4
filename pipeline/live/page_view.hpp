// The live page as a view: a picture for each frame while somebody watches.
#pragma once

#include <optional>

#include "pipeline/live/live_view.hpp"
#include "pipeline/live/server.hpp"

namespace fovea {

class PageView final : public LiveView {
 public:
  // As LiveServer.
  PageView(const LiveServerOptions& options, LiveServerHooks hooks) : server_(options, std::move(hooks)) {}

  LiveServer& server() { return server_; }

  // While nobody watches one picture a second is drawn all the same: whoever comes sees one at once, and /snapshot.jpg is no older.
  bool wants_picture() override;
  void show(const SeenFrame& seen) override;

 private:
  LiveServer server_;
  std::optional<LiveClock::time_point> pictured_;  // when the last picture was asked for
};

}  // namespace fovea
