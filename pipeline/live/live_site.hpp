// What the live page's server answers.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "pipeline/live/access.hpp"
#include "pipeline/live/server.hpp"
#include "pipeline/live/web_loop.hpp"

namespace fovea {

// A frame as clients get it.
struct PublishedFrame {
  std::uint64_t serial = 0;  // of publishing, from 1; 0: there was none yet
  std::int64_t number = 0;
  WebBytes jpeg, event;
};

class LiveSite final : public WebSite {
 public:
  LiveSite(const LiveServerOptions& options, LiveServerHooks hooks, Access& access);

  void publish(std::int64_t number, WebBytes jpeg, WebBytes event);  // any thread
  PublishedFrame newest() const;                                     // any thread

  // The following on the loop's thread.
  WebAnswer answer(const HttpRequest& request, const std::string& local) override;
  struct Tick {
    std::uint64_t serial = 0;
    WebBytes event;
  };
  // The statistics as an event, made anew each second.
  const Tick& statistics(WebClock::time_point now);

 private:
  using Handler = WebAnswer (LiveSite::*)(const HttpRequest&);
  struct Route {
    const char* path;
    Handler get, post = nullptr;
  };

  WebAnswer enter(const std::string& token, const HttpRequest& request);
  WebAnswer page(const HttpRequest& request);
  WebAnswer style(const HttpRequest& request);
  WebAnswer script(const HttpRequest& request);
  WebAnswer icon(const HttpRequest& request);
  WebAnswer stream(const HttpRequest& request);
  WebAnswer events(const HttpRequest& request);
  WebAnswer snapshot(const HttpRequest& request);
  WebAnswer settings(const HttpRequest& request);
  WebAnswer change_settings(const HttpRequest& request);
  WebAnswer health(const HttpRequest& request);
  void check_place(int taken, const char* what) const;
  static const Route* route(const std::string& path);

  const LiveServerOptions options_;
  const LiveServerHooks hooks_;
  Access& access_;

  mutable std::mutex mutex_;
  PublishedFrame newest_;

  Tick tick_;
  WebClock::time_point ticked_;
  // Outlive the feeds that count in them.
  std::shared_ptr<int> streams_ = std::make_shared<int>(0), events_ = std::make_shared<int>(0);
};

}  // namespace fovea
