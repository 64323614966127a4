#include "pipeline/live/http.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/fuzz.hpp"

using namespace fovea;

namespace {

// The status with which it is refused; 0: more bytes are needed; 200: it is a request.
int status_of(const std::string& bytes, HttpLimits limits = {}) {
  HttpReader reader(limits);
  try {
    for (std::size_t at = 0; at < bytes.size(); at += 100) {
      reader.feed(std::string_view(bytes).substr(at, 100));
      if (reader.next()) return 200;
    }
  } catch (const HttpRefusal& refusal) { return refusal.status; }
  return 0;
}

HttpRequest request_of(const std::string& bytes) {
  HttpReader reader;
  reader.feed(bytes);
  const auto request = reader.next();
  REQUIRE(request);
  return *request;
}

std::string get(const std::string& headers) { return "GET / HTTP/1.1\r\n" + headers + "\r\n"; }

}  // namespace

TEST_CASE("live HTTP: requests, one after the other, however their bytes come", "[pipeline]") {
  const std::string bytes =
      "GET /a?x=1&token=a%20b+c&x=2 HTTP/1.1\r\nHost: h:1\r\nX-Odd:  \t v \t\r\n\r\n"
      "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nConnection: Close\r\n\r\nbody!"
      "GET / HTTP/1.0\r\n\r\n";
  for (const std::size_t piece : {std::size_t{1}, std::size_t{10}, bytes.size()}) {
    HttpReader reader;
    std::vector<HttpRequest> requests;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      reader.feed(std::string_view(bytes).substr(at, piece));
      while (auto request = reader.next()) requests.push_back(*request);
    }
    REQUIRE(requests.size() == 3);
    CHECK((requests[0].method == "GET" && requests[0].path == "/a" && requests[0].keep_alive));
    CHECK((requests[0].header("host") == "h:1" && requests[0].header("x-odd") == "v" && requests[0].header("none").empty()));
    CHECK((requests[0].value("token") == "a b c" && requests[0].value("x") == "1" && !requests[0].value("y")));
    CHECK((requests[1].method == "POST" && requests[1].path == "/b" && requests[1].body == "body!" && !requests[1].keep_alive));
    CHECK((requests[2].path == "/" && requests[2].query.empty() && !requests[2].keep_alive));
    CHECK(!reader.begun());
  }
}

TEST_CASE("live HTTP: what is no request, or could be read in two ways, is refused", "[pipeline]") {
  for (const char* line :
       {"get / HTTP/1.1", "GET  / HTTP/1.1", "GET / HTTP/1.1 ", "GET /", "GET", "GET x HTTP/1.1", "GET http://h/ HTTP/1.1",
        "GET /\x01 HTTP/1.1", "GET /\xff HTTP/1.1", "GET / HTTP/x", "GET / http/1.1", "G\tT / HTTP/1.1", "\x16\x03\x01 tls"})
    CHECK(status_of(std::string(line) + "\r\n\r\n") == 400);
  CHECK(status_of("GET / HTTP/2.0\r\n\r\n") == 505);
  for (const char* header :
       {"no colon\r\n", ": no name\r\n", "Space : x\r\n", " Folded: x\r\n", "A: b\r\n folded\r\n", "A: \x01\r\n", "A: b\rc\r\n",
        "A: b\nC: d\r\n", "Host: a\r\nHost: b\r\n", "Cookie: a\r\ncookie: b\r\n", "Origin: a\r\nORIGIN: a\r\n",
        "Content-Length: 1\r\nContent-Length: 1\r\n", "Content-Length: -1\r\n", "Content-Length: 1x\r\n",
        "Content-Length: 0x1\r\n", "Content-Length: +1\r\n", "Content-Length: 1, 1\r\n"})
    CHECK(status_of(get(header)) == 400);
  CHECK(status_of(get(std::string("A: b\0c\r\n", 8))) == 400);
  CHECK(status_of(get("Transfer-Encoding: chunked\r\n")) == 501);
  CHECK(status_of(get("Expect: 100-continue\r\n")) == 417);
  CHECK(request_of("GET /?a=%zz&b=%4 HTTP/1.1\r\n\r\n").value("a") == std::nullopt);
  CHECK(request_of("GET /?a=%zz&b=%4 HTTP/1.1\r\n\r\n").value("b") == std::nullopt);
}

TEST_CASE("live HTTP: sizes are bounded before anything is kept", "[pipeline]") {
  CHECK(status_of("GET /" + std::string(1 << 20, 'x')) == 414);
  CHECK(status_of("GET / HTTP/1.1\r\nA: " + std::string(1 << 20, 'x')) == 431);
  CHECK(status_of("GET / HTTP/1.1\r\nA: " + std::string(8200, 'x') + "\r\n\r\n") == 431);
  CHECK(status_of("GET / HTTP/1.1\r\nA: " + std::string(8100, 'x') + "\r\n\r\n") == 200);
  std::string many;
  for (int i = 0; i < 65; ++i) many += "A" + std::to_string(i) + ": b\r\n";
  CHECK(status_of(get(many)) == 431);
  CHECK(status_of(std::string(1 << 20, '\xff')) == 400);
  for (const char* length : {"65537", "99999999999999999999999", "18446744073709551615"})
    CHECK(status_of(get(std::string("Content-Length: ") + length + "\r\n")) == 413);
  CHECK(status_of(get("Content-Length: 65536\r\n")) == 0);
  CHECK(status_of(get("Content-Length: 65536\r\n") + std::string(65536, 'x')) == 200);
  HttpReader reader;
  CHECK(reader.room() == 8192 + 65536);
}

TEST_CASE("live HTTP: half a request waits for the rest", "[pipeline]") {
  const std::string whole = "POST /settings HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}";
  for (std::size_t cut = 0; cut < whole.size(); ++cut) CHECK(status_of(whole.substr(0, cut)) == 0);
  CHECK(status_of(whole) == 200);
}

TEST_CASE("live HTTP: answers forbid what the page does not need", "[pipeline]") {
  const std::string text = http_text({.status = 404, .body = "none\n", .headers = {{"Allow", "GET"}}}, true);
  CHECK(text.starts_with("HTTP/1.1 404 Not Found\r\n"));
  CHECK(text.ends_with("Content-Length: 5\r\nConnection: keep-alive\r\n\r\nnone\n"));
  for (const std::string& answer : {text, http_stream_head("text/event-stream")})
    for (const char* part : {"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'", "nosniff",
                             "no-referrer", "no-store", "Cross-Origin-Resource-Policy: same-origin"})
      CHECK_THAT(answer, Catch::Matchers::ContainsSubstring(part));
  CHECK_THAT(text, !Catch::Matchers::ContainsSubstring("unsafe"));
}

TEST_CASE("live HTTP: damaged requests", "[pipeline][fuzz]") {
  const std::vector<std::string> seeds{
      "GET /?token=0123456789abcdef HTTP/1.1\r\nHost: localhost:8080\r\nCookie: a=b; c=d\r\n\r\n",
      "POST /settings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 18\r\n\r\n{\"threshold\": "
      "0.5}"};
  test::fuzz("HTTP", seeds, [](const std::string& bytes) {
    HttpReader reader;
    for (std::size_t at = 0; at < bytes.size(); at += 7) {
      reader.feed(std::string_view(bytes).substr(at, 7));
      while (const auto request = reader.next()) request->value("token");
    }
  });
}
