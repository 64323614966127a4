// A live page for tests, and a browser that is let in.
#pragma once

#include <atomic>
#include <mutex>
#include <stdexcept>

#include "pipeline/live/server.hpp"
#include "tests/pipeline/live/comes.hpp"
#include "tests/pipeline/live/web_visitor.hpp"
#include "tests/support/catch.hpp"

namespace fovea::test {

class Page {
 public:
  explicit Page(LiveServerOptions options = {}) : server(with_layers(std::move(options)), hooks()) {}

  std::string token() const {
    const std::string address = server.address();
    return address.substr(address.find("token=") + 6);
  }
  Browser browser() {
    server.new_token();
    Browser browser{server.port()};
    const WebReply reply = browser.get("/?token=" + token());
    REQUIRE(reply.status == 303);
    browser.cookie = reply.header("Set-Cookie").substr(0, reply.header("Set-Cookie").find(';'));
    REQUIRE(!browser.cookie.empty());
    return browser;
  }
  // A client of /stream or /events, whose head is read.
  Visitor follower(const Browser& browser, const std::string& target, int window = 0) {
    Visitor visitor(server.port(), window);
    REQUIRE(visitor.send(browser.request("GET", target)));
    REQUIRE(visitor.receive_until("\r\n\r\n").starts_with("HTTP/1.1 200 "));
    return visitor;
  }
  void publish(std::int64_t number, std::size_t size = 1000) {
    server.publish(number, std::vector<std::uint8_t>(size, static_cast<std::uint8_t>('a' + number % 26)),
                   {{"objects", {{{"class", "<b>"}, {"score", 0.5}}}}});
  }

  // What the hooks hold; of the server's thread but for the tests' questions.
  LiveSettings settings() {
    std::lock_guard lock(mutex_);
    return settings_;
  }
  std::atomic<bool> throws{false};

 private:
  static LiveServerOptions with_layers(LiveServerOptions options) {
    options.layers = {"none", "attention"};
    return options;
  }
  LiveServerHooks hooks() {
    return {.settings = [this] { return settings(); },
            .change =
                [this](const LiveSettings& next) {
                  if (throws) throw std::runtime_error("the secret of the hook");
                  std::lock_guard lock(mutex_);
                  settings_ = next;
                },
            .statistics =
                [this] {
                  if (throws) throw std::runtime_error("the secret of the hook");
                  return nlohmann::ordered_json{{"state", "running"}};
                }};
  }

  std::mutex mutex_;
  LiveSettings settings_{0.5, 0.5, "none"};

 public:
  LiveServer server;  // the last member: it calls the hooks
};

}  // namespace fovea::test
