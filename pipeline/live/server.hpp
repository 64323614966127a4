// The page of a live run: the picture, figures, a few settings. It is served to whoever has its address with the token
// (access.hpp); nothing that clients do can hold up the run or each other (web_loop.hpp).
//
//   GET  /                the page; with ?token=... it sets the cookie and leads to the page without it
//   GET  /stream          the pictures, multipart/x-mixed-replace
//   GET  /events          Server-Sent Events: "frame" with what publish() was given, "statistics" each second
//   GET  /snapshot.jpg    the newest picture that was published, as drawn
//   GET  /settings        {"threshold", "opacity", "layer", "layers"}; POST takes any of the first three and answers with all
//   GET  /health          {"status": "ok", "frame", "streams", "events"}
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "pipeline/live/settings.hpp"

namespace fovea {

struct LiveServerOptions {
  std::string host = "127.0.0.1";  // 0.0.0.0 or ::: on all addresses of this machine
  int port = 0;                    // 0: any that is free
  bool allow_remote = false;       // whether `host` may be reachable from other machines
  int max_streams = 6;             // clients of /stream, and as many of /events; one more gets 503
  // What may lie over the picture; the first is nothing ("none"). Not empty.
  std::vector<std::string> layers = {"none"};
  std::chrono::milliseconds longest_stall{5000};  // of a client that takes nothing of what is there for it
};

// Called on the server's thread, which answers nobody meanwhile: they should return at once, and are given checked values. What
// they throw becomes status 500.
struct LiveServerHooks {
  std::function<LiveSettings()> settings;
  std::function<void(const LiveSettings&)> change;
  std::function<nlohmann::ordered_json()> statistics;  // as to_json(LiveFigures, LiveStatus) gives
};

class LiveServer {
 public:
  // Serves from now on. UsageError, EnvironmentError: see listen_on.
  LiveServer(const LiveServerOptions& options, LiveServerHooks hooks);
  ~LiveServer();  // all clients are gone when it returns, at once
  LiveServer(const LiveServer&) = delete;
  LiveServer& operator=(const LiveServer&) = delete;

  // Shows a picture, with boxes and layer drawn into it. `event` is an object: the page shows those of its "objects", a list of
  // {"class", "score", "track", ...}; "frame" is added. Without a JPEG the picture of before stays. Any thread; never waits for a client.
  void publish(std::int64_t number, const std::vector<std::uint8_t>& jpeg, nlohmann::ordered_json event);

  // Whether any client follows the pictures.
  bool is_watched() const;

  int port() const;
  // For the operator's eyes only: whoever opens it first may use the page. Without a token once that is done.
  std::string address() const;
  // An address for one more browser. The one before does not work any more, browsers that are let in stay.
  std::string new_token();
  // What the operator should know; empty on loopback.
  std::string warning() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace fovea
