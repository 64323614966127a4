// Syntax: RFC 9112. Strict where requests can be read in two ways: lines end with CR LF, no folded or repeated headers, no
// chunked bodies.
#include "pipeline/live/http.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace fovea {
namespace {

constexpr const char* kNoRequestLine = "Expected a request line of HTTP/1.1.";
constexpr std::string_view kLineEnd = "\r\n", kHeadEnd = "\r\n\r\n";

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_token(char c) {
  return is_letter(c) || is_digit(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}
bool is_method(char c) { return c >= 'A' && c <= 'Z'; }
bool is_target(char c) { return c > 32 && c < 127; }
bool is_value(char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 32 && c != 127); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

[[noreturn]] void refuse(int status, const std::string& sentence) { throw HttpRefusal(status, sentence); }

bool all(std::string_view text, bool (*is)(char)) { return !text.empty() && std::all_of(text.begin(), text.end(), is); }

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view() : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Cuts off what stands before `mark`, and the mark; all where there is none.
std::string_view cut(std::string_view& text, std::string_view mark) {
  const auto at = text.find(mark);
  const std::string_view part = text.substr(0, at);
  text = at == std::string_view::npos ? std::string_view() : text.substr(at + mark.size());
  return part;
}

void read_request_line(std::string_view line, HttpRequest& request) {
  const std::string_view method = cut(line, " ");
  std::string_view target = cut(line, " ");
  if (!all(method, is_method) || !all(target, is_target) || target[0] != '/') refuse(400, kNoRequestLine);
  if (line != "HTTP/1.1" && line != "HTTP/1.0") {
    const bool other = line.starts_with("HTTP/") && all(line.substr(5), [](char c) { return is_digit(c) || c == '.'; });
    refuse(other ? 505 : 400, "Expected HTTP/1.1.");
  }
  request.method = method;
  request.path = cut(target, "?");
  request.query = target;
  request.keep_alive = line == "HTTP/1.1";
}

void read_header(std::string_view line, HttpRequest& request) {
  const auto colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  if (colon == std::string_view::npos || !all(name, is_token)) refuse(400, "Expected headers of the form \"Name: value\".");
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (!std::all_of(value.begin(), value.end(), is_value)) refuse(400, "Expected headers without control characters.");
  std::string key(name);
  std::transform(key.begin(), key.end(), key.begin(), lower);
  constexpr std::array kOnce = {"host",   "content-length", "content-type",  "transfer-encoding",
                                "cookie", "origin",         "sec-fetch-site"};
  const auto same = [&](const auto& header) { return header.first == key; };
  if (std::find(kOnce.begin(), kOnce.end(), key) != kOnce.end() &&
      std::any_of(request.headers.begin(), request.headers.end(), same))
    refuse(400, "Expected the header " + key + " once.");
  request.headers.emplace_back(std::move(key), value);
}

HttpRequest read_head(std::string_view head, const HttpLimits& limits) {
  HttpRequest request;
  read_request_line(cut(head, kLineEnd), request);
  while (!head.empty()) {
    if (request.headers.size() == limits.headers) refuse(431, "Expected up to " + std::to_string(limits.headers) + " headers.");
    read_header(cut(head, kLineEnd), request);
  }
  std::string connection(request.header("connection"));
  std::transform(connection.begin(), connection.end(), connection.begin(), lower);
  if (connection.find("close") != std::string::npos) request.keep_alive = false;
  return request;
}

std::size_t body_length(const HttpRequest& request, const HttpLimits& limits) {
  if (!request.header("transfer-encoding").empty()) refuse(501, "Expected a body with a Content-Length.");
  if (!request.header("expect").empty()) refuse(417, "Expected no Expect.");
  const std::string_view text = request.header("content-length");
  if (text.empty()) return 0;
  std::size_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (error == std::errc::invalid_argument || end != text.data() + text.size())
    refuse(400, "Expected a Content-Length in digits.");
  if (error != std::errc() || length > limits.body)
    refuse(413, "Expected a body of " + std::to_string(limits.body) + " bytes at most.");
  return length;
}

int hex(char c) { return is_digit(c) ? c - '0' : lower(c) >= 'a' && lower(c) <= 'f' ? lower(c) - 'a' + 10 : -1; }

// None: a '%' without two digits.
std::optional<std::string> unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size() || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0) return std::nullopt;
      plain += static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
      i += 2;
    } else {
      plain += text[i] == '+' ? ' ' : text[i];
    }
  }
  return plain;
}

const char* reason_of(int status) {
  switch (status) {
    case 200: return "OK";
    case 303: return "See Other";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Other";
  }
}

std::string head_text(int status, const std::string& type, const HttpHeaders& headers) {
  std::string text = "HTTP/1.1 " + std::to_string(status) + " " + reason_of(status) + "\r\nContent-Type: " + type +
                     "\r\nCache-Control: no-store"
                     "\r\nContent-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                     "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
                     "\r\nCross-Origin-Resource-Policy: same-origin"
                     "\r\nReferrer-Policy: no-referrer"
                     "\r\nX-Content-Type-Options: nosniff\r\n";
  for (const auto& [name, value] : headers) text += name + ": " + value + "\r\n";
  return text;
}

}  // namespace

std::string_view HttpRequest::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return {};
}

std::optional<std::string> HttpRequest::value(std::string_view key) const {
  for (std::string_view rest = query; !rest.empty();) {
    std::string_view pair = cut(rest, "&");
    if (cut(pair, "=") == key) return unescaped(pair);
  }
  return std::nullopt;
}

std::size_t HttpReader::room() const {
  const std::size_t most = limits_.head + limits_.body;
  return most - std::min(most, buffer_.size());
}

// With its last line's end; empty: it is not whole.
std::string_view HttpReader::find_head() {
  // What is no HTTP at all is told at once, not after 8 KB of it.
  if (!buffer_.empty() && !is_method(buffer_[0])) refuse(400, kNoRequestLine);
  const std::size_t end = buffer_.find(kHeadEnd, searched_);
  if (end != std::string::npos && end + kHeadEnd.size() <= limits_.head)
    return std::string_view(buffer_).substr(0, end + kLineEnd.size());
  if (buffer_.size() > limits_.head || end != std::string::npos) {
    const bool one_line = buffer_.find(kLineEnd) > limits_.head;
    refuse(one_line ? 414 : 431, "Expected a request line and headers of " + std::to_string(limits_.head) + " bytes at most.");
  }
  searched_ = buffer_.size() - std::min(buffer_.size(), kHeadEnd.size() - 1);
  return {};
}

std::optional<HttpRequest> HttpReader::next() {
  const std::string_view head = find_head();
  if (head.empty()) return std::nullopt;
  HttpRequest request = read_head(head, limits_);
  const std::size_t length = body_length(request, limits_), from = head.size() + kLineEnd.size();
  if (buffer_.size() - from < length) return std::nullopt;
  request.body = buffer_.substr(from, length);
  buffer_.erase(0, from + length);
  searched_ = 0;
  return request;
}

std::string http_text(const HttpReply& reply, bool keep_alive) {
  std::string text = head_text(reply.status, reply.type, reply.headers);
  text += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
  text += keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  return text + reply.body;
}

std::string http_stream_head(const std::string& type) { return head_text(200, type, {}) + "Connection: close\r\n\r\n"; }

}  // namespace fovea
