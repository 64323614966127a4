#include "pipeline/live/live_site.hpp"

#include <algorithm>

#include "modules/core/json.hpp"
#include "pipeline/live/page.hpp"

namespace fovea {
namespace {

constexpr const char* kJson = "application/json";
constexpr const char* kMultipart = "multipart/x-mixed-replace; boundary=fovea-frame";
constexpr const char* kBoundary = "\r\n--fovea-frame\r\n";

WebBytes bytes(std::string text) { return std::make_shared<const std::string>(std::move(text)); }

// One client more for as long as it lives.
class Place {
 public:
  explicit Place(std::shared_ptr<std::atomic<int>> count) : count_(std::move(count)) { ++*count_; }
  ~Place() { --*count_; }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  const std::shared_ptr<std::atomic<int>> count_;
};

class PictureFeed final : public WebFeed {
 public:
  PictureFeed(const LiveSite& site, const std::shared_ptr<std::atomic<int>>& count) : site_(site), place_(count) {}

  // The boundary follows each picture at once: browsers show a part when they see its end.
  std::vector<WebBytes> next(WebClock::time_point) override {
    const Published picture = site_.picture();
    if (picture.serial == serial_) return {};
    const std::string head = std::string(serial_ == 0 ? kBoundary + 2 : "") +
                             "Content-Type: image/jpeg\r\nContent-Length: " + std::to_string(picture.bytes->size()) +
                             "\r\nX-Frame: " + std::to_string(picture.number) + "\r\n\r\n";
    serial_ = picture.serial;
    return {bytes(head), picture.bytes, bytes(kBoundary)};
  }

 private:
  const LiveSite& site_;
  const Place place_;
  std::uint64_t serial_ = 0;
};

class EventFeed final : public WebFeed {
 public:
  EventFeed(LiveSite& site, const std::shared_ptr<std::atomic<int>>& count) : site_(site), place_(count) {}

  std::vector<WebBytes> next(WebClock::time_point now) override {
    std::vector<WebBytes> events;
    if (const Published frame = site_.event(); frame.serial != frame_) {
      frame_ = frame.serial;
      events.push_back(frame.bytes);
    }
    if (const LiveSite::Tick& tick = site_.statistics(now); tick.serial != tick_) {
      tick_ = tick.serial;
      events.push_back(tick.event);
    }
    return events;
  }

 private:
  LiveSite& site_;
  const Place place_;
  std::uint64_t frame_ = 0, tick_ = 0;
};

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

double share(const JsonValue& value) {
  const double number = value.number();
  if (!(number >= 0 && number <= 1)) value.wrong("a number from 0 to 1");
  return number;
}

void read_settings(const std::string& body, const std::vector<std::string>& layers, LiveSettings& settings) {
  const JsonValue json = JsonValue::parse(body, "settings", {.bytes = 64 << 10, .depth = 3, .values = 64});
  for (const auto& [key, value] : json.members()) {
    if (key == "threshold") settings.threshold = share(value);
    else if (key == "opacity") settings.opacity = share(value);
    else if (key != "layer") value.wrong("threshold, opacity or layer only");
    else if (!contains(layers, settings.layer = value.text())) value.wrong("a layer of this run");
  }
}

std::string dumped(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

LiveSite::LiveSite(const LiveServerOptions& options, LiveServerHooks hooks, Access& access)
    : options_(options), hooks_(std::move(hooks)), access_(access) {}

void LiveSite::publish(std::int64_t number, WebBytes jpeg, WebBytes event) {
  std::lock_guard lock(mutex_);
  if (jpeg) picture_ = {picture_.serial + 1, number, std::move(jpeg)};
  event_ = {event_.serial + 1, number, std::move(event)};
}

Published LiveSite::picture() const {
  std::lock_guard lock(mutex_);
  return picture_;
}

Published LiveSite::event() const {
  std::lock_guard lock(mutex_);
  return event_;
}

const LiveSite::Tick& LiveSite::statistics(WebClock::time_point now) {
  if (tick_.serial == 0 || now - ticked_ >= std::chrono::seconds(1)) {
    ticked_ = now;
    tick_ = {tick_.serial + 1, bytes("event: statistics\ndata: " + dumped(hooks_.statistics()) + "\n\n")};
  }
  return tick_;
}

const LiveSite::Route* LiveSite::route(const std::string& path) {
  static constexpr Route kRoutes[] = {
      {"/", &LiveSite::page},
      {"/page.css", &LiveSite::style},
      {"/page.js", &LiveSite::script},
      {"/icon.svg", &LiveSite::icon},
      {"/stream", &LiveSite::stream},
      {"/events", &LiveSite::events},
      {"/snapshot.jpg", &LiveSite::snapshot},
      {"/settings", &LiveSite::settings, &LiveSite::change_settings},
      {"/health", &LiveSite::health},
  };
  const auto* found =
      std::find_if(std::begin(kRoutes), std::end(kRoutes), [&](const Route& route) { return path == route.path; });
  return found == std::end(kRoutes) ? nullptr : found;
}

WebAnswer LiveSite::answer(const HttpRequest& request, const std::string& local) {
  access_.check_host(request, local);
  const bool get = request.method == "GET", front = get && request.path == "/";
  if (const auto token = request.value("token"); front && token) return enter(*token, request);
  if (!access_.has_cookie(request)) return {{401, kHtml, kLiveEntrance}};
  // A link from elsewhere may lead to the page itself.
  if (!front) access_.check_origin(request);
  const Route* const found = route(request.path);
  if (!found) throw HttpRefusal(404, "There is nothing under this address.");
  const Handler handler = get ? found->get : request.method == "POST" ? found->post : nullptr;
  if (!handler)
    return {{405, HttpReply().type, "This address knows no such method.\n", {{"Allow", found->post ? "GET, POST" : "GET"}}}};
  return (this->*handler)(request);
}

WebAnswer LiveSite::enter(const std::string& token, const HttpRequest& request) {
  HttpReply to_page{303, HttpReply().type, "", {{"Location", "/"}}};
  if (access_.has_cookie(request)) return {to_page};
  if (!access_.use_up(token)) return {{401, kHtml, kLiveEntrance}};
  to_page.headers.emplace_back("Set-Cookie", access_.cookie());
  return {to_page};
}

WebAnswer LiveSite::page(const HttpRequest&) { return {{200, kHtml, kLivePage}}; }

WebAnswer LiveSite::style(const HttpRequest&) { return {{200, "text/css; charset=utf-8", kLiveStyle}}; }
WebAnswer LiveSite::script(const HttpRequest&) { return {{200, "text/javascript; charset=utf-8", kLiveScript}}; }
WebAnswer LiveSite::icon(const HttpRequest&) { return {{200, "image/svg+xml", kLiveIcon}}; }

void LiveSite::check_place(int taken, const char* what) const {
  if (taken >= options_.max_streams)
    throw HttpRefusal(503, "All " + std::to_string(options_.max_streams) + " places for " + what + " are taken: close a page.");
}

WebAnswer LiveSite::stream(const HttpRequest&) {
  check_place(*streams_, "the picture");
  return {{200, kMultipart}, std::make_unique<PictureFeed>(*this, streams_)};
}

WebAnswer LiveSite::events(const HttpRequest&) {
  check_place(*events_, "events");
  return {{200, "text/event-stream"}, std::make_unique<EventFeed>(*this, events_)};
}

WebAnswer LiveSite::snapshot(const HttpRequest&) {
  const Published picture = this->picture();
  if (picture.serial == 0) throw HttpRefusal(503, "There is no picture yet.");
  return {{200,
           "image/jpeg",
           *picture.bytes,
           {{"Content-Disposition", "inline; filename=\"frame-" + std::to_string(picture.number) + ".jpg\""}}}};
}

WebAnswer LiveSite::settings(const HttpRequest&) {
  const LiveSettings s = hooks_.settings();
  return {{200, kJson,
           dumped({{"threshold", s.threshold}, {"opacity", s.opacity}, {"layer", s.layer}, {"layers", options_.layers}})}};
}

WebAnswer LiveSite::change_settings(const HttpRequest& request) {
  if (const auto type = request.header("content-type"); type.substr(0, type.find(';')) != kJson)
    throw HttpRefusal(415, "Expected settings as application/json.");
  LiveSettings next = hooks_.settings();
  try {
    read_settings(request.body, options_.layers, next);
  } catch (const Error& e) { throw HttpRefusal(400, e.what()); }
  hooks_.change(next);
  return settings(request);
}

WebAnswer LiveSite::health(const HttpRequest&) {
  const Published frame = event();
  const nlohmann::ordered_json number = frame.serial == 0 ? nlohmann::ordered_json() : nlohmann::ordered_json(frame.number);
  return {
      {200, kJson, dumped({{"status", "ok"}, {"frame", number}, {"streams", streams_->load()}, {"events", events_->load()}})}};
}

}  // namespace fovea
