// A browser for tests of the live page: plain sockets, so that it can behave as badly as it likes.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "modules/io/descriptor.hpp"

namespace fovea::test {

class Visitor {
 public:
  using Clock = std::chrono::steady_clock;

  // `window`: bytes that the system may keep for it; 0: as usual.
  explicit Visitor(int port, int window = 0) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (window > 0) ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &window, sizeof window);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }

  bool connected() const { return connected_; }
  int descriptor() const { return socket_.get(); }

  // False: the server has closed, or takes nothing for a second.
  bool send(const std::string& bytes) {
    for (std::size_t at = 0; at < bytes.size();) {
      pollfd p{socket_.get(), POLLOUT, 0};
      if (::poll(&p, 1, 1000) <= 0) return false;
      const ssize_t n = ::send(socket_.get(), bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0) return false;
      at += static_cast<std::size_t>(n);
    }
    return true;
  }

  // What comes within the time, at most once; empty and closed() where the server has ended it.
  std::string receive(std::chrono::milliseconds within, std::size_t most = 65536) {
    pollfd p{socket_.get(), POLLIN, 0};
    if (::poll(&p, 1, static_cast<int>(within.count())) <= 0) return {};
    std::string bytes(most, '\0');
    const ssize_t n = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
    if (n <= 0) closed_ = true;
    bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return bytes;
  }
  bool closed() const { return closed_; }

  // All that comes up to the text; what follows it stays for the next call. Whatever came where the server closes, or the time
  // is over.
  std::string receive_until(const std::string& text, std::chrono::milliseconds within = std::chrono::seconds(5)) {
    fill([&] { return held_.find(text) != std::string::npos; }, within);
    const auto at = held_.find(text);
    return take(at == std::string::npos ? held_.size() : at + text.size());
  }
  std::string receive_exactly(std::size_t size, std::chrono::milliseconds within = std::chrono::seconds(5)) {
    fill([&] { return held_.size() >= size; }, within);
    return take(std::min(size, held_.size()));
  }
  // True where the server ends the connection within the time.
  bool is_closed_within(std::chrono::milliseconds time) {
    for (const auto end = Clock::now() + time; !closed_ && Clock::now() < end;) receive(std::chrono::milliseconds(50));
    return closed_;
  }

 private:
  template <class Enough>
  void fill(const Enough& enough, std::chrono::milliseconds within) {
    for (const auto end = Clock::now() + within; !enough() && !closed_ && Clock::now() < end;)
      held_ += receive(std::chrono::milliseconds(50));
  }
  std::string take(std::size_t size) {
    std::string bytes = held_.substr(0, size);
    held_.erase(0, size);
    return bytes;
  }

  Descriptor socket_;
  bool connected_ = false, closed_ = false;
  std::string held_;
};

struct WebReply {
  int status = 0;  // 0: none came
  std::string head, body;
  // Empty where there is none.
  std::string header(const std::string& name) const {
    const auto at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return {};
    const auto from = at + name.size() + 4;
    return head.substr(from, head.find("\r\n", from) - from);
  }
};

inline WebReply read_reply(Visitor& visitor) {
  WebReply reply;
  reply.head = visitor.receive_until("\r\n\r\n");
  if (reply.head.size() > 12 && reply.head.starts_with("HTTP/1.1 ")) reply.status = std::stoi(reply.head.substr(9, 3));
  const std::string length = reply.header("Content-Length");
  if (!length.empty()) reply.body = visitor.receive_exactly(static_cast<std::size_t>(std::stoul(length)));
  return reply;
}

// A browser that has been let in.
struct Browser {
  int port;
  std::string cookie = {}, origin = {}, host = {};

  std::string request(const std::string& method, const std::string& target, const std::string& body = {},
                      const std::string& type = "application/json") const {
    std::string text =
        method + " " + target + " HTTP/1.1\r\nHost: " + (host.empty() ? "127.0.0.1:" + std::to_string(port) : host) + "\r\n";
    if (!cookie.empty()) text += "Cookie: " + cookie + "\r\n";
    if (!origin.empty()) text += "Origin: " + origin + "\r\n";
    if (method == "POST") text += "Content-Type: " + type + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    return text + "\r\n" + body;
  }
  WebReply ask(const std::string& method, const std::string& target, const std::string& body = {},
               const std::string& type = "application/json") const {
    Visitor visitor(port);
    visitor.send(request(method, target, body, type));
    return read_reply(visitor);
  }
  WebReply get(const std::string& target) const { return ask("GET", target); }
};

}  // namespace fovea::test
