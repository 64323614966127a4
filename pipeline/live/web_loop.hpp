// A web server on one thread for a handful of clients. No client can hold it up: nothing here waits for one of them, each has a
// time for what it does, and what is kept for it is bounded.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "modules/io/descriptor.hpp"
#include "pipeline/live/http.hpp"
#include "pipeline/live/web_client.hpp"

namespace fovea {

struct WebAnswer {
  HttpReply reply;                          // with a feed only its type is used
  std::unique_ptr<WebFeed> feed = nullptr;  // what follows for as long as the client stays
};

// What is served; called on the loop's thread, which waits for it meanwhile.
class WebSite {
 public:
  virtual ~WebSite() = default;
  // `local`: the address of this machine by which the request came. Throws HttpRefusal.
  virtual WebAnswer answer(const HttpRequest& request, const std::string& local) = 0;
};

class WebLoop {
 public:
  // `site` outlives it.
  WebLoop(Descriptor listener, WebSite& site, const WebLimits& limits);
  ~WebLoop();  // ends all connections at once
  WebLoop(const WebLoop&) = delete;
  WebLoop& operator=(const WebLoop&) = delete;

  // There is something new for feeds. Any thread; never waits.
  void wake();

 private:
  void run();
  void turn();
  void accept_clients(WebClock::time_point now);
  void make_room();
  void handle(WebClient& client, short happened, WebClock::time_point now);
  void serve(WebClient& client, WebClock::time_point now);
  void answer(WebClient& client, const HttpRequest& request, WebClock::time_point now);

  const Descriptor listener_, wake_;
  WebSite& site_;
  const WebLimits limits_;
  std::vector<std::unique_ptr<WebClient>> clients_;
  WebClock::time_point accepts_again_;  // after the system had no descriptors left
  std::atomic<bool> stop_{false};
  std::thread thread_;  // the last member: it uses the others
};

}  // namespace fovea
