// HTTP/1.1 as far as one small page needs it: requests out of bytes that may come from anybody, and answers. No sockets here.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "modules/core/error.hpp"

namespace fovea {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method, path, query;  // of "/a?b": "/a" and "b", as they came
  HttpHeaders headers;              // names in lower case
  std::string body;
  bool keep_alive = false;

  // Empty where there is none. Those that decide on access cannot come twice: such requests are refused.
  std::string_view header(std::string_view name) const;
  // Of a query "a=1&b=2", without %-escapes.
  std::optional<std::string> value(std::string_view key) const;
};

struct HttpReply {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body = {};
  HttpHeaders headers = {};
};

// A request that is not served, and with which status; the message is a sentence for whoever asked.
class HttpRefusal : public Error {
 public:
  HttpRefusal(int code, const std::string& sentence) : Error(sentence), status(code) {}
  HttpReply reply() const { return {.status = status, .body = std::string(what()) + "\n"}; }
  const int status;
};

struct HttpLimits {
  std::size_t head = 8192;  // request line and headers
  std::size_t headers = 64;
  std::size_t body = 64 << 10;
};

// Finds requests in the bytes of one connection.
class HttpReader {
 public:
  explicit HttpReader(HttpLimits limits = {}) : limits_(limits) {}

  // No more than room() bytes at a time: what is held stays bounded.
  void feed(std::string_view bytes) { buffer_ += bytes; }
  std::size_t room() const;
  bool begun() const { return !buffer_.empty(); }
  // The next whole request; none: more bytes are needed. Throws HttpRefusal, after which nothing more can be read.
  std::optional<HttpRequest> next();

 private:
  std::string_view find_head();

  const HttpLimits limits_;
  std::string buffer_;
  std::size_t searched_ = 0;  // bytes of it without the end of a head
};

// Answers forbid browsers everything that the page does not need: other origins, frames, caches, guesses about types.
std::string http_text(const HttpReply& reply, bool keep_alive);
// Only the head, without a length: what follows ends with the connection.
std::string http_stream_head(const std::string& type);

}  // namespace fovea
