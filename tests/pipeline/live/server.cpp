#include "pipeline/live/server.hpp"

#include <unistd.h>

#include "pipeline/errors.hpp"
#include "tests/pipeline/live/live_page.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using namespace std::chrono_literals;
using test::Browser;
using test::Page;
using test::Visitor;
using test::WebReply;

namespace {

const std::vector<const char*> kTargets = {"/",       "/page.css",     "/page.js",  "/icon.svg", "/stream",
                                           "/events", "/snapshot.jpg", "/settings", "/health",   "/none"};

}  // namespace

TEST_CASE("live page: a token is exchanged for a cookie once", "[pipeline]") {
  Page page;
  const std::string token = page.token();
  CHECK(page.server.address() == "http://127.0.0.1:" + std::to_string(page.server.port()) + "/?token=" + token);
  Browser browser{page.server.port()};
  CHECK(browser.get("/?token=" + std::string(32, '0')).status == 401);
  CHECK(browser.get("/?token=").status == 401);
  CHECK(browser.get("/stream?token=" + token).status == 401);  // only at the front door
  CHECK(browser.ask("POST", "/?token=" + token).status == 401);
  const WebReply in = browser.get("/?token=" + token);
  CHECK((in.status == 303 && in.header("Location") == "/"));
  const std::string cookie = in.header("Set-Cookie");
  CHECK_THAT(cookie, Catch::Matchers::EndsWith("; HttpOnly; SameSite=Strict; Path=/"));
  CHECK(cookie.find(token) == std::string::npos);
  const WebReply again = browser.get("/?token=" + token);
  CHECK((again.status == 401 && again.header("Set-Cookie").empty()));
  CHECK(page.server.address().find("token") == std::string::npos);
  browser.cookie = cookie.substr(0, cookie.find(';'));
  CHECK(browser.get("/?token=" + token).status == 303);  // a bookmark of it does no harm
  CHECK(browser.get("/").status == 200);
  const std::string old = page.server.new_token();
  const std::string next = page.server.new_token();
  CHECK(next == page.server.address());
  CHECK(Browser{page.server.port()}.get(old.substr(old.find("/?"))).status == 401);
  CHECK(Browser{page.server.port()}.get(next.substr(next.find("/?"))).status == 303);
  CHECK(browser.get("/").status == 200);  // who is in stays in
}

TEST_CASE("live page: without the cookie there is nothing but where to find the address", "[pipeline]") {
  Page page;
  page.publish(1);
  Browser browser{page.server.port()};
  for (const std::string& cookie :
       {std::string(), "fovea_" + std::to_string(page.server.port()) + "=" + std::string(32, '0'), std::string("a=b")})
    for (const char* target : kTargets)
      for (const char* method : {"GET", "POST", "PUT"}) {
        CAPTURE(cookie, target, method);
        browser.cookie = cookie;
        const WebReply reply = browser.ask(method, target, "{}");
        CHECK(reply.status == 401);
        CHECK_THAT(reply.body, Catch::Matchers::ContainsSubstring("the whole address that the program printed"));
      }
}

TEST_CASE("live page: its files, with headers that forbid the rest", "[pipeline]") {
  Page page;
  const Browser browser = page.browser();
  const WebReply front = browser.get("/");
  CHECK((front.status == 200 && front.header("Content-Type") == "text/html; charset=utf-8"));
  CHECK_THAT(front.body,
             Catch::Matchers::ContainsSubstring("<script src=\"/page.js\">") && !Catch::Matchers::ContainsSubstring("http:"));
  CHECK(browser.get("/page.js").header("Content-Type") == "text/javascript; charset=utf-8");
  CHECK_THAT(browser.get("/page.js").body, !Catch::Matchers::ContainsSubstring("innerHTML"));
  CHECK(browser.get("/page.css").header("Content-Type") == "text/css; charset=utf-8");
  CHECK(browser.get("/icon.svg").header("Content-Type") == "image/svg+xml");
  for (const char* target : {"/", "/page.js", "/settings", "/none"}) {
    const WebReply reply = browser.get(target);
    CHECK_THAT(reply.header("Content-Security-Policy"), Catch::Matchers::StartsWith("default-src 'none'; script-src 'self'"));
    CHECK((reply.header("X-Content-Type-Options") == "nosniff" && reply.header("Referrer-Policy") == "no-referrer"));
    CHECK(reply.header("Cache-Control") == "no-store");
  }
  CHECK(browser.get("/none").status == 404);
  CHECK(browser.get("/page.js/../settings").status == 404);
  CHECK(browser.ask("POST", "/").status == 405);
  CHECK(browser.ask("DELETE", "/settings").header("Allow") == "GET, POST");
}

TEST_CASE("live page: foreign hosts and origins are refused", "[pipeline]") {
  Page page;
  const std::string port = std::to_string(page.server.port());
  Browser browser = page.browser();
  for (const std::string& host : {"localhost:" + port, "127.0.0.1:" + port, "[::1]:" + port}) {
    browser.host = host;
    browser.origin = "http://" + host;
    CHECK(browser.get("/health").status == 200);
  }
  browser.origin.clear();
  for (const std::string& host :
       {"evil.example:" + port, std::string("localhost"), "127.0.0.2:" + port, std::string("127.0.0.1:1")}) {
    browser.host = host;
    for (const char* target : kTargets) CHECK(browser.get(target).status == 421);
    CHECK(browser.get("/?token=" + page.token()).status == 421);
  }
  browser.host.clear();
  for (const std::string& origin :
       {std::string("http://evil.example"), std::string("null"), "http://localhost:" + port, "https://127.0.0.1:" + port}) {
    browser.origin = origin;
    for (const char* target : kTargets)
      if (std::string(target) != "/") CHECK(browser.get(target).status == 403);
    CHECK(browser.ask("POST", "/settings", R"({"threshold": 0.9})").status == 403);
  }
  CHECK(page.settings().threshold == 0.5);
}

TEST_CASE("live page: settings", "[pipeline]") {
  Page page;
  const Browser browser = page.browser();
  CHECK(browser.get("/settings").body == R"({"threshold":0.5,"opacity":0.5,"layer":"none","layers":["none","attention"]})");
  const WebReply reply = browser.ask("POST", "/settings", R"({"threshold": 0.25, "layer": "attention"})");
  CHECK((reply.status == 200 && reply.header("Content-Type") == "application/json"));
  CHECK(reply.body == R"({"threshold":0.25,"opacity":0.5,"layer":"attention","layers":["none","attention"]})");
  CHECK((page.settings().threshold == 0.25 && page.settings().layer == "attention"));
  for (const char* edge : {R"({"opacity": 0})", R"({"opacity": 1})", "{}"})
    CHECK(browser.ask("POST", "/settings", edge).status == 200);
  for (const char* bad : {"",
                          "{",
                          "nonsense",
                          "[]",
                          "1",
                          "null",
                          R"({"threshold": NaN})",
                          R"({"threshold": Infinity})",
                          R"({"threshold": 1e999})",
                          R"({"threshold": -0.01})",
                          R"({"threshold": 1.01})",
                          R"({"threshold": "0.5"})",
                          R"({"threshold": null})",
                          R"({"opacity": true})",
                          R"({"layer": "other"})",
                          R"({"layer": 1})",
                          R"({"layer": ["none"]})",
                          R"({"layers": []})",
                          R"({"threshold": 0.1, "threshold": 0.2})",
                          R"({"threshold": 0.1, "other": 1})",
                          "{\"layer\": \"\xff\"}",
                          R"({"threshold": [[[[[[[[1]]]]]]]]})"}) {
    CAPTURE(bad);
    const WebReply refused = browser.ask("POST", "/settings", bad);
    CHECK(refused.status == 400);
    CHECK_THAT(refused.body, Catch::Matchers::StartsWith("settings"));
  }
  CHECK((page.settings().threshold == 0.25 && page.settings().opacity == 1));
  CHECK(browser.ask("POST", "/settings", "{}", "text/plain").status == 415);
  CHECK(browser.ask("POST", "/settings", "{}", "application/json; charset=utf-8").status == 200);
  CHECK(browser.ask("POST", "/settings", "{\"layer\": \"" + std::string(70'000, 'x') + "\"}").status == 413);
  CHECK(browser.ask("POST", "/settings", std::string(60'000, '[')).status == 400);
}

TEST_CASE("live page: a hook that throws costs its request and no more", "[pipeline]") {
  Page page;
  const Browser browser = page.browser();
  page.throws = true;
  const WebReply reply = browser.ask("POST", "/settings", "{}");
  CHECK((reply.status == 500 && reply.body.find("secret") == std::string::npos));
  Visitor events(page.server.port());
  events.send(browser.request("GET", "/events"));
  CHECK(events.is_closed_within(3s));
  page.throws = false;
  CHECK(browser.ask("POST", "/settings", "{}").status == 200);
}

TEST_CASE("live page: the picture, who watches, and health", "[pipeline]") {
  Page page;
  const Browser browser = page.browser();
  CHECK(browser.get("/snapshot.jpg").status == 503);
  CHECK(browser.get("/health").body == R"({"status":"ok","frame":null,"streams":0,"events":0})");
  page.publish(7, 100'000);
  const WebReply picture = browser.get("/snapshot.jpg");
  CHECK((picture.status == 200 && picture.header("Content-Type") == "image/jpeg" && picture.body == std::string(100'000, 'h')));
  CHECK(!page.server.is_watched());
  {
    const Visitor stream = page.follower(browser, "/stream");
    CHECK(browser.get("/health").body == R"({"status":"ok","frame":7,"streams":1,"events":0})");
    CHECK(page.server.is_watched());
  }
  CHECK(test::comes([&] { return !page.server.is_watched(); }));
  page.publish(8, 0);  // an event without a picture
  CHECK(browser.get("/health").body == R"({"status":"ok","frame":8,"streams":0,"events":0})");
  CHECK(browser.get("/snapshot.jpg").header("Content-Disposition") == "inline; filename=\"frame-7.jpg\"");
}

TEST_CASE("live page: the stream of pictures and the events of frames", "[pipeline]") {
  Page page;
  const Browser browser = page.browser();
  Visitor stream = page.follower(browser, "/stream"), events = page.follower(browser, "/events");
  CHECK(events.receive_until("\n\n") == "event: statistics\ndata: {\"state\":\"running\"}\n\n");
  for (int i = 0; i < 3; ++i) {
    page.publish(i, 5000);
    CHECK(stream.receive_until("\r\n\r\n") ==
          std::string(i == 0 ? "--fovea-frame\r\n" : "") +
              "Content-Type: image/jpeg\r\nContent-Length: 5000\r\nX-Frame: " + std::to_string(i) + "\r\n\r\n");
    CHECK(stream.receive_exactly(5000) == std::string(5000, static_cast<char>('a' + i)));
    CHECK(stream.receive_exactly(17) == "\r\n--fovea-frame\r\n");
    const std::string number = std::to_string(i);
    CHECK_THAT(events.receive_until("\n\n"), Catch::Matchers::StartsWith("event: frame\nid: " + number + "\ndata: {") &&
                                                 Catch::Matchers::EndsWith("\"frame\":" + number + "}\n\n"));
  }
  const auto began = Visitor::Clock::now();
  CHECK(events.receive_until("\n\n") == "event: statistics\ndata: {\"state\":\"running\"}\n\n");
  CHECK(Visitor::Clock::now() - began < 2s);
}

TEST_CASE("live page: text that is no Unicode becomes readable", "[pipeline]") {
  Page page;
  Visitor events = page.follower(page.browser(), "/events");
  page.server.publish(1, {'j'}, {{"objects", {{{"class", "\xff\n\nevent: x\r\r"}}}}});
  REQUIRE(events.receive_until("event: frame").ends_with("event: frame"));
  CHECK_THAT(events.receive_until("\n\n"), Catch::Matchers::EndsWith("\\n\\nevent: x\\r\\r\"}],\"frame\":1}\n\n"));
  CHECK(test::fails_with([&] { page.server.publish(2, {'j'}, nlohmann::ordered_json::array()); },
                         "expected an event that is an object"));
}

TEST_CASE("live page: hosts and ports that cannot be served", "[pipeline]") {
  Page page;
  const auto message = [](const std::string& host, int port, bool remote = false) {
    return test::message_of([&] { Page({.host = host, .port = port, .allow_remote = remote}); });
  };
  CHECK_THAT(message("127.0.0.1", page.server.port()), Catch::Matchers::ContainsSubstring("another program serves there"));
  for (const char* host : {"0.0.0.0", "::", "192.0.2.1"})
    CHECK_THAT(message(host, 0), Catch::Matchers::ContainsSubstring("reachable from other machines"));
  CHECK_THAT(message("192.0.2.1", 0, true), Catch::Matchers::ContainsSubstring("another one's"));
  CHECK_THAT(message("no such host", 0), Catch::Matchers::ContainsSubstring("expected a name or an address"));
  for (const int port : {-1, 65536})
    CHECK_THAT(message("127.0.0.1", port), Catch::Matchers::ContainsSubstring("expected a port"));
  if (::geteuid() != 0) CHECK_THAT(message("127.0.0.1", 1), Catch::Matchers::ContainsSubstring("from 1024"));
  CHECK_THROWS_AS(Page({.host = "0.0.0.0"}), UsageError);
  CHECK_THROWS_AS(Page({.port = page.server.port()}), EnvironmentError);
  CHECK(test::fails_with([&] { Page({.max_streams = 0}); }, "expected places"));
}

TEST_CASE("live page: beyond this machine only when asked for, with a warning", "[pipeline]") {
  CHECK(Page().server.warning().empty());
  CHECK(Page({.host = "localhost"}).server.address().starts_with("http://localhost:"));
  Page page({.host = "0.0.0.0", .allow_remote = true});
  CHECK_THAT(page.server.warning(), Catch::Matchers::ContainsSubstring("not encrypted"));
  CHECK(page.server.address().find("0.0.0.0") == std::string::npos);
  Browser browser = page.browser();
  CHECK(browser.get("/health").status == 200);
  browser.host = "evil.example:" + std::to_string(page.server.port());
  CHECK(browser.get("/health").status == 421);
}
