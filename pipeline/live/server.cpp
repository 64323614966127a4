#include "pipeline/live/server.hpp"

#include <algorithm>

#include "modules/core/error.hpp"
#include "pipeline/live/access.hpp"
#include "pipeline/live/live_site.hpp"
#include "pipeline/live/web_listen.hpp"
#include "pipeline/live/web_loop.hpp"

namespace fovea {
namespace {

std::vector<std::string> names_of(const std::string& host, const ListenSocket& socket) {
  std::vector<std::string> names{host, "localhost", "127.0.0.1", "::1"};
  if (!socket.loopback)
    if (const std::string name = machine_name(); !name.empty()) names.insert(names.end(), {name, name + ".local"});
  return names;
}

// What stands in the address: of all addresses of this machine one that others can use.
std::string shown_host(const std::string& host, const ListenSocket& socket) {
  std::string shown = host;
  if (socket.wildcard) shown = outside_address();
  if (shown.empty()) shown = "127.0.0.1";
  return shown.find(':') == std::string::npos ? shown : "[" + shown + "]";
}

WebLimits limits_of(const LiveServerOptions& options) {
  constexpr std::size_t kForOthers = 32;  // pages, settings, and those who wait for nothing
  WebLimits limits;
  limits.stall = options.longest_stall;
  limits.clients = 2 * static_cast<std::size_t>(options.max_streams) + kForOthers;
  return limits;
}

const LiveServerOptions& checked(const LiveServerOptions& options, const LiveServerHooks& hooks) {
  check(options.max_streams >= 1 && options.max_streams <= 100, "live page: expected places for 1 to 100 streams, got ",
        options.max_streams);
  check(!options.layers.empty(), "live page: expected the names of layers, got none");
  check(options.longest_stall > std::chrono::milliseconds(0), "live page: expected a longest stall over 0, got ",
        options.longest_stall.count(), " ms");
  check(hooks.settings && hooks.change && hooks.statistics, "live page: expected the hooks settings, change and statistics");
  return options;
}

}  // namespace

struct LiveServer::Parts {
  Parts(const LiveServerOptions& options, LiveServerHooks hooks, ListenSocket socket)
      : url("http://" + shown_host(options.host, socket) + ":" + std::to_string(socket.port) + "/"),
        port(socket.port),
        loopback(socket.loopback),
        access(names_of(options.host, socket), socket.port),
        site(options, std::move(hooks), access),
        loop(std::move(socket.socket), site, limits_of(options)) {}

  const std::string url;
  const int port;
  const bool loopback;
  Access access;
  LiveSite site;
  WebLoop loop;
};

LiveServer::LiveServer(const LiveServerOptions& options, LiveServerHooks hooks)
    : parts_(
          std::make_unique<Parts>(checked(options, hooks), hooks, listen_on(options.host, options.port, options.allow_remote))) {}

LiveServer::~LiveServer() = default;

void LiveServer::publish(std::int64_t number, const std::vector<std::uint8_t>& jpeg, nlohmann::ordered_json event) {
  check(event.is_object(), "live page: expected an event that is an object, got ", event.type_name());
  event["frame"] = number;
  std::string text = "event: frame\nid: " + std::to_string(number) +
                     "\ndata: " + event.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n\n";
  parts_->site.publish(number, jpeg.empty() ? nullptr : std::make_shared<const std::string>(jpeg.begin(), jpeg.end()),
                       std::make_shared<const std::string>(std::move(text)));
  parts_->loop.wake();
}

bool LiveServer::is_watched() const { return parts_->site.streams() > 0; }

int LiveServer::port() const { return parts_->port; }

std::string LiveServer::address() const {
  const std::string token = parts_->access.token();
  return token.empty() ? parts_->url : parts_->url + "?token=" + token;
}

std::string LiveServer::new_token() {
  parts_->access.new_token();
  return address();
}

std::string LiveServer::warning() const {
  if (parts_->loopback) return {};
  return "the live page can be reached from other machines, and what it sends is not encrypted: use it in networks that you "
         "trust, and give "
         "its address to nobody else";
}

}  // namespace fovea
