// What the live page's server answers.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "pipeline/live/access.hpp"
#include "pipeline/live/server.hpp"
#include "pipeline/live/web_loop.hpp"

namespace fovea {

// The picture or the event of a frame, as clients get it.
struct Published {
  std::uint64_t serial = 0;  // of publishing, from 1; 0: there was none yet
  std::int64_t number = 0;   // of the frame
  WebBytes bytes;
};

class LiveSite final : public WebSite {
 public:
  LiveSite(const LiveServerOptions& options, LiveServerHooks hooks, Access& access);

  // Any thread.
  void publish(std::int64_t number, WebBytes jpeg, WebBytes event);  // without a JPEG the picture of before stays
  Published picture() const;
  Published event() const;
  int streams() const { return *streams_; }  // clients that follow the pictures

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
  Published picture_, event_;

  Tick tick_;
  WebClock::time_point ticked_;
  // Outlive the feeds that count in them.
  using Count = std::shared_ptr<std::atomic<int>>;
  const Count streams_ = std::make_shared<std::atomic<int>>(0), events_ = std::make_shared<std::atomic<int>>(0);
};

}  // namespace fovea
