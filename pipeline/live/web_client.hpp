// One connection of a browser, which never blocks: bytes are taken and given as far as the socket does.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "modules/io/descriptor.hpp"
#include "pipeline/live/http.hpp"

namespace fovea {

using WebClock = std::chrono::steady_clock;
using WebBytes = std::shared_ptr<const std::string>;  // what several clients get lies in memory once

// What a client that stays connected gets.
class WebFeed {
 public:
  virtual ~WebFeed() = default;
  // The newest that this client has not got; asked for when it has taken all of the last. Empty: there is nothing new.
  virtual std::vector<WebBytes> next(WebClock::time_point now) = 0;
};

struct WebLimits {
  std::chrono::milliseconds request{5000};   // from the first byte of a request to its last
  std::chrono::milliseconds idle{15'000};    // between requests
  std::chrono::milliseconds stall{5000};     // while a client takes nothing of what is there for it
  std::chrono::milliseconds answer{30'000};  // for all of an answer that is no feed
  std::chrono::milliseconds goodbye{1000};   // after the last answer, for the client to close
  int requests = 100;                        // of one connection
  std::size_t clients = 64;
};

class WebClient {
 public:
  using Time = WebClock::time_point;

  WebClient(Descriptor socket, const WebLimits& limits, Time now);

  int descriptor() const { return socket_.get(); }
  const std::string& local() const { return local_; }  // the address of this machine by which it came
  short events() const;                                // that poll() should wait for

  void receive(Time now);
  void transmit(Time now);

  // The next whole request, where one may be answered now. Throws HttpRefusal.
  std::optional<HttpRequest> request();
  void answer(const HttpReply& reply, bool keep_alive, Time now);
  void start(const std::string& type, std::unique_ptr<WebFeed> feed, Time now);
  // Asks the feed, where there is one and all of the last is sent.
  void refill(Time now);

  void close() { state_ = State::over; }
  bool is_over(Time now) const;
  // Between requests, or in the middle of one: the first to go where there are too many.
  bool is_waiting() const { return state_ == State::reading; }
  Time since() const { return since_; }

 private:
  enum class State { reading, answering, last_answer, goodbye, feeding, over };

  void send_all(const std::vector<WebBytes>& pieces, Time now);
  void sent_all(Time now);

  const WebLimits& limits_;
  Descriptor socket_;
  const std::string local_;
  State state_ = State::reading;
  HttpReader reader_;
  std::deque<WebBytes> pending_;
  std::size_t sent_ = 0;  // bytes of the first of them
  std::unique_ptr<WebFeed> feed_;
  int requests_ = 0;
  std::size_t unasked_ = 0;  // bytes that came while it was fed
  Time since_, progress_;    // when it came into this state (or the request began), when it last took bytes
};

}  // namespace fovea
