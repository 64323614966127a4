#include "pipeline/live/access.hpp"

#include <set>

#include "tests/support/catch.hpp"

using namespace fovea;

namespace {

HttpRequest with(HttpHeaders headers) {
  HttpRequest request;
  request.headers = std::move(headers);
  return request;
}

template <class F>
int status_of(const F& f) {
  try {
    f();
  } catch (const HttpRefusal& refusal) { return refusal.status; }
  return 200;
}

}  // namespace

TEST_CASE("live access: tokens are random, work once, and a new one replaces the old", "[pipeline]") {
  std::set<std::string> tokens;
  for (int i = 0; i < 100; ++i) tokens.insert(random_token());
  CHECK(tokens.size() == 100);
  for (const std::string& token : tokens)
    CHECK((token.size() == 32 && token.find_first_not_of("0123456789abcdef") == std::string::npos));
  Access access({"localhost"}, 8080);
  const std::string first = access.token();
  CHECK((!access.use_up("") && !access.use_up(first.substr(1)) && !access.use_up(first + "0")));
  CHECK(access.use_up(first));
  CHECK((!access.use_up(first) && !access.use_up("") && access.token().empty()));
  const std::string second = access.new_token(), third = access.new_token();
  CHECK((!access.use_up(first) && !access.use_up(second) && access.use_up(third)));
}

TEST_CASE("live access: the cookie lets in, and only the whole of it", "[pipeline]") {
  const Access access({"localhost"}, 8080), other({"localhost"}, 8081);
  CHECK_THAT(access.cookie(), Catch::Matchers::EndsWith("; HttpOnly; SameSite=Strict; Path=/"));
  const std::string pair = access.cookie().substr(0, access.cookie().find(';'));
  const std::string name = pair.substr(0, pair.find('=')), value = pair.substr(pair.find('=') + 1);
  CHECK(name == "fovea_8080");
  for (const std::string& good : {pair, "a=b; " + pair, pair + "; a=b", name + "=wrong; " + pair, ";;  " + pair + ";"})
    CHECK(access.has_cookie(with({{"cookie", good}})));
  for (const std::string& bad :
       {std::string(), std::string(";"), name, name + "=", value, "=" + value, name + "=" + value.substr(1), "x" + pair,
        pair + "0", "fovea_8081=" + value, std::string(" ; = ; ")})
    CHECK(!access.has_cookie(with({{"cookie", bad}})));
  CHECK(!access.has_cookie(with({})));
  CHECK(!other.has_cookie(with({{"cookie", pair}})));
}

TEST_CASE("live access: the machine is called by names of its own", "[pipeline]") {
  const Access access({"localhost", "127.0.0.1", "::1", "Pi"}, 8080), usual({"localhost"}, 80);
  const auto status = [](const Access& a, const std::string& host) {
    return status_of([&] { a.check_host(with({{"host", host}}), "192.168.1.5"); });
  };
  for (const char* good : {"localhost:8080", "LOCALHOST:8080", "127.0.0.1:8080", "[::1]:8080", "pi:8080", "192.168.1.5:8080"})
    CHECK(status(access, good) == 200);
  for (const char* bad : {"", "localhost", "localhost:80", "localhost:8081", "evil.example:8080", "localhost.evil.example:8080",
                          "192.168.1.6:8080", "::1:8080", "localhost:8080:8080", "localhost:8080/"})
    CHECK(status(access, bad) == 421);
  CHECK((status(usual, "localhost") == 200 && status(usual, "localhost:80") == 200));
  CHECK(status_of([&] { access.check_host(with({}), "192.168.1.5"); }) == 421);
  CHECK(status_of([&] { access.check_host(with({{"host", ":8080"}}), ""); }) == 421);
}

TEST_CASE("live access: pages of other origins get nothing", "[pipeline]") {
  const Access access({"localhost"}, 8080);
  const auto status = [&](HttpHeaders headers) {
    headers.emplace_back("host", "localhost:8080");
    return status_of([&] { access.check_origin(with(headers)); });
  };
  CHECK(status({}) == 200);
  CHECK(status({{"origin", "http://localhost:8080"}, {"sec-fetch-site", "same-origin"}}) == 200);
  CHECK(status({{"sec-fetch-site", "none"}}) == 200);
  for (const char* origin : {"null", "http://localhost", "http://localhost:3000", "https://localhost:8080", "http://evil.example",
                             "http://localhost:8080.evil.example", "http://localhost:8080/"})
    CHECK(status({{"origin", origin}}) == 403);
  for (const char* site : {"same-site", "cross-site", "odd"}) CHECK(status({{"sec-fetch-site", site}}) == 403);
}
