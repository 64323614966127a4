#include "pipeline/live/web_client.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "pipeline/live/web_listen.hpp"

namespace fovea {
namespace {

constexpr std::size_t kMostUnasked = 64 << 10;

void set(int socket, int level, int option, int value) { ::setsockopt(socket, level, option, &value, sizeof value); }

}  // namespace

WebClient::WebClient(Descriptor socket, const WebLimits& limits, Time now)
    : limits_(limits), socket_(std::move(socket)), local_(local_address(socket_.get())), since_(now), progress_(now) {
  set(descriptor(), IPPROTO_TCP, TCP_NODELAY, 1);
  set(descriptor(), SOL_SOCKET, SO_KEEPALIVE, 1);
  // About a picture: what lies in the socket is old when a slow client gets it.
  set(descriptor(), SOL_SOCKET, SO_SNDBUF, 128 << 10);
}

short WebClient::events() const {
  short events = state_ == State::answering || state_ == State::last_answer ? 0 : POLLIN;
  if (!pending_.empty()) events = static_cast<short>(events | POLLOUT);
  return events;
}

void WebClient::receive(Time now) {
  std::array<char, 16384> bytes;
  const bool reading = state_ == State::reading;
  const std::size_t room = reading ? std::min(reader_.room(), bytes.size()) : bytes.size();
  const ssize_t n = ::recv(descriptor(), bytes.data(), room, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return close();
  if (reading) {
    if (!reader_.begun()) since_ = now;
    reader_.feed({bytes.data(), static_cast<std::size_t>(n)});
  } else if (state_ == State::feeding) {
    unasked_ += static_cast<std::size_t>(n);
    if (unasked_ > kMostUnasked) close();
  }
}

void WebClient::transmit(Time now) {
  while (!pending_.empty() && state_ != State::over) {
    const std::string& piece = *pending_.front();
    const ssize_t n = ::send(descriptor(), piece.data() + sent_, piece.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      if (errno != EAGAIN) close();
      return;
    }
    progress_ = now;
    sent_ += static_cast<std::size_t>(n);
    if (sent_ == piece.size()) pending_.pop_front(), sent_ = 0;
  }
  sent_all(now);
}

void WebClient::sent_all(Time now) {
  if (state_ == State::answering) {
    state_ = State::reading;
    since_ = now;
  } else if (state_ == State::last_answer) {
    // Closed at once, with bytes unread, the answer would be lost on its way.
    ::shutdown(descriptor(), SHUT_WR);
    state_ = State::goodbye;
    since_ = now;
  }
}

std::optional<HttpRequest> WebClient::request() {
  if (state_ != State::reading) return std::nullopt;
  std::optional<HttpRequest> request = reader_.next();
  if (request && ++requests_ >= limits_.requests) request->keep_alive = false;
  return request;
}

void WebClient::answer(const HttpReply& reply, bool keep_alive, Time now) {
  state_ = keep_alive ? State::answering : State::last_answer;
  since_ = now;
  send_all({std::make_shared<const std::string>(http_text(reply, keep_alive))}, now);
}

void WebClient::start(const std::string& type, std::unique_ptr<WebFeed> feed, Time now) {
  state_ = State::feeding;
  feed_ = std::move(feed);
  send_all({std::make_shared<const std::string>(http_stream_head(type))}, now);
}

void WebClient::refill(Time now) {
  if (state_ == State::feeding && pending_.empty()) send_all(feed_->next(now), now);
}

void WebClient::send_all(const std::vector<WebBytes>& pieces, Time now) {
  if (pieces.empty()) return;
  pending_.insert(pending_.end(), pieces.begin(), pieces.end());
  progress_ = now;
  transmit(now);
}

bool WebClient::is_over(Time now) const {
  const auto waited = now - since_;
  switch (state_) {
    case State::reading: return waited > (reader_.begun() ? limits_.request : limits_.idle);
    case State::answering:
    case State::last_answer: return waited > limits_.answer || now - progress_ > limits_.stall;
    case State::goodbye: return waited > limits_.goodbye;
    case State::feeding: return !pending_.empty() && now - progress_ > limits_.stall;
    case State::over: return true;
  }
  return true;
}

}  // namespace fovea
