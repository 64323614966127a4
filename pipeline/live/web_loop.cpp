#include "pipeline/live/web_loop.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <system_error>

#include "modules/core/error.hpp"

namespace fovea {
namespace {

constexpr int kTick = 100;  // milliseconds between looks at the clock, where nothing happens

}  // namespace

WebLoop::WebLoop(Descriptor listener, WebSite& site, const WebLimits& limits)
    : listener_(std::move(listener)), wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), site_(site), limits_(limits) {
  check(static_cast<bool>(wake_), "live page: no descriptor left: ", std::generic_category().message(errno));
  thread_ = std::thread([this] { run(); });
}

WebLoop::~WebLoop() {
  stop_ = true;
  wake();
  thread_.join();
}

void WebLoop::wake() {
  const std::uint64_t one = 1;
  // Fails where the counter is full: then it wakes anyway.
  [[maybe_unused]] const ssize_t ignored = ::write(wake_.get(), &one, sizeof one);
}

void WebLoop::run() {
  while (!stop_) {
    try {
      turn();
    } catch (const std::exception&) {  // no memory: those who are connected go, the page stays
      clients_.clear();
      std::this_thread::sleep_for(std::chrono::milliseconds(kTick));
    }
  }
  clients_.clear();
}

void WebLoop::turn() {
  const bool accepts = WebClock::now() >= accepts_again_;
  std::vector<pollfd> waits{{wake_.get(), POLLIN, 0}, {accepts ? listener_.get() : -1, POLLIN, 0}};
  for (const auto& client : clients_) waits.push_back({client->descriptor(), client->events(), 0});
  if (::poll(waits.data(), waits.size(), kTick) < 0)
    check(errno == EINTR, "live page: cannot wait for clients: ", std::generic_category().message(errno));
  const auto now = WebClock::now();
  if (waits[0].revents) {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t ignored = ::read(wake_.get(), &count, sizeof count);
  }
  for (std::size_t i = 0; i < clients_.size(); ++i) handle(*clients_[i], waits[i + 2].revents, now);
  if (waits[1].revents) accept_clients(now);
  std::erase_if(clients_, [&](const auto& client) { return client->is_over(now); });
}

void WebLoop::accept_clients(WebClock::time_point now) {
  constexpr int kMostAtOnce = 16;  // the others wait in the listener's queue for the next turn
  for (int i = 0; i < kMostAtOnce; ++i) {
    Descriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) {
      if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) accepts_again_ = now + std::chrono::milliseconds(200);
      return;
    }
    make_room();
    if (clients_.size() < limits_.clients) clients_.push_back(std::make_unique<WebClient>(std::move(socket), limits_, now));
  }
}

// Whoever has kept its request to itself for longest goes, so that many such clients cannot keep others away.
void WebLoop::make_room() {
  if (clients_.size() < limits_.clients) return;
  const auto later = [](const auto& a, const auto& b) {
    if (a->is_waiting() != b->is_waiting()) return !a->is_waiting();
    return a->since() > b->since();
  };
  const auto first = std::max_element(clients_.begin(), clients_.end(), later);
  if ((*first)->is_waiting()) clients_.erase(first);
}

void WebLoop::handle(WebClient& client, short happened, WebClock::time_point now) {
  try {
    if (happened & (POLLERR | POLLHUP | POLLNVAL)) return client.close();
    if (happened & POLLIN) client.receive(now);
    if (happened & POLLOUT) client.transmit(now);
    serve(client, now);
  } catch (const HttpRefusal& refusal) { client.answer(refusal.reply(), false, now); } catch (const std::exception&) {
    client.close();
  }
}

void WebLoop::serve(WebClient& client, WebClock::time_point now) {
  while (const std::optional<HttpRequest> request = client.request()) answer(client, *request, now);
  client.refill(now);
}

void WebLoop::answer(WebClient& client, const HttpRequest& request, WebClock::time_point now) {
  try {
    WebAnswer answer = site_.answer(request, client.local());
    if (answer.feed) client.start(answer.reply.type, std::move(answer.feed), now);
    else client.answer(answer.reply, request.keep_alive, now);
  } catch (const HttpRefusal& refusal) {
    client.answer(refusal.reply(), request.keep_alive, now);
  } catch (const std::exception&) { client.answer({.status = 500, .body = "The program could not answer this.\n"}, false, now); }
}

}  // namespace fovea
