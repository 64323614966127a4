#include "datasets/scans/worker_protocol.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>

#include "modules/core/error.hpp"
#include "modules/core/json.hpp"

namespace fovea::scan_worker {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::json;

constexpr std::size_t kHead = 9;  // a kind and a length

bool send_all(int socket, const char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t n = ::send(socket, data, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    data += n, size -= static_cast<std::size_t>(n);
  }
  return true;
}

Silence wait_for_more(int socket, std::optional<Clock::time_point> end) {
  for (;;) {
    int milliseconds = -1;
    if (end)
      milliseconds =
          static_cast<int>(std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(*end - Clock::now()).count()));
    pollfd p{socket, POLLIN, 0};
    const int n = ::poll(&p, 1, milliseconds);
    if (n > 0) return Silence::none;
    if (n == 0) return Silence::late;
    if (errno != EINTR) return Silence::gone;
  }
}

Silence receive_all(int socket, char* data, std::size_t size, std::optional<Clock::time_point> end) {
  while (size > 0) {
    if (const Silence s = wait_for_more(socket, end); s != Silence::none) return s;
    const ssize_t n = ::recv(socket, data, size, MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0) return Silence::gone;
    data += n, size -= static_cast<std::size_t>(n);
  }
  return Silence::none;
}

Vec3 vec3_in(const JsonValue& j) {
  const auto items = j.items();
  if (items.size() != 3) j.wrong("three numbers");
  return {items[0].number(), items[1].number(), items[2].number()};
}

// JSON has no infinity.
template <class T>
void put(Json& j, const char* key, const std::optional<T>& value) {
  if (value) j[key] = *value;
}

std::optional<double> number_at(const JsonValue& j, const char* key) {
  return j.has(key) ? std::optional(j.at(key).number()) : std::nullopt;
}

struct TextField {
  const char* key;
  std::string ScanInfo::*member;
};
constexpr TextField kTexts[] = {{"format", &ScanInfo::format},
                                {"transfer_syntax", &ScanInfo::transfer_syntax},
                                {"kind", &ScanInfo::kind},
                                {"modality", &ScanInfo::modality},
                                {"body_part", &ScanInfo::body_part},
                                {"view", &ScanInfo::view},
                                {"laterality", &ScanInfo::laterality},
                                {"unit", &ScanInfo::unit},
                                {"photometric", &ScanInfo::photometric},
                                {"series", &ScanInfo::series},
                                {"frame_of_reference", &ScanInfo::frame_of_reference}};

}  // namespace

bool send(int socket, const Message& m) {
  std::string head(kHead, '\0');
  head[0] = static_cast<char>(m.kind);
  const std::uint64_t size = m.bytes.size();
  std::memcpy(head.data() + 1, &size, sizeof size);
  return send_all(socket, head.data(), head.size()) && send_all(socket, m.bytes.data(), m.bytes.size());
}

Received receive(int socket, std::size_t most, double seconds) {
  std::optional<Clock::time_point> end;
  if (seconds >= 0) end = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  char head[kHead];
  if (const Silence s = receive_all(socket, head, kHead, end); s != Silence::none) return {std::nullopt, s};
  std::uint64_t size = 0;
  std::memcpy(&size, head + 1, sizeof size);
  if (size > most || static_cast<std::uint8_t>(head[0]) > static_cast<std::uint8_t>(Kind::failed))
    return {std::nullopt, Silence::gone};
  Message m{static_cast<Kind>(head[0]), std::string(static_cast<std::size_t>(size), '\0')};
  if (const Silence s = receive_all(socket, m.bytes.data(), m.bytes.size(), end); s != Silence::none) return {std::nullopt, s};
  return {std::move(m), Silence::none};
}

std::string number_bytes(std::int32_t number) {
  const auto raw = std::bit_cast<std::array<char, 4>>(number);
  return {raw.begin(), raw.end()};
}

std::int32_t number_in(std::string_view bytes, std::size_t at) {
  check(bytes.size() >= 4 && at <= bytes.size() - 4, "scan reader: a message is too short");
  std::int32_t number = 0;
  std::memcpy(&number, bytes.data() + at, sizeof number);
  return number;
}

std::string to_text(const Description& d) {
  const ScanInfo& i = d.info;
  Json j;
  for (const TextField& field : kTexts) j[field.key] = i.*field.member;
  j["rows"] = i.rows, j["columns"] = i.columns, j["frames"] = i.frames, j["bits"] = i.bits_stored;
  j["signed"] = i.is_signed, j["colour"] = i.colour, j["inverted"] = i.inverted, j["notes"] = i.notes;
  put(j, "slice_thickness", i.slice_thickness), put(j, "padding", i.padding), put(j, "burned_in", i.burned_in);
  if (d.lut) j["lut"] = {{"first", d.lut->first}, {"bits", d.lut->bits}, {"values", d.lut->values}};
  return j.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Description description_in(const std::string& text, const std::string& file) {
  const JsonValue j = JsonValue::parse(text, file);
  Description d;
  ScanInfo& i = d.info;
  for (const TextField& field : kTexts) i.*field.member = j.at(field.key).text();
  i.rows = j.at("rows").whole<int>(), i.columns = j.at("columns").whole<int>(), i.frames = j.at("frames").whole<int>();
  check(i.rows > 0 && i.columns > 0 && i.frames > 0, file, ": expected a size over 0");
  i.bits_stored = j.at("bits").whole<int>();
  i.is_signed = j.at("signed").boolean(), i.colour = j.at("colour").boolean(), i.inverted = j.at("inverted").boolean();
  for (const JsonValue& note : j.at("notes").items()) i.notes.push_back(note.text());
  i.slice_thickness = number_at(j, "slice_thickness"), i.padding = number_at(j, "padding");
  if (j.has("burned_in")) i.burned_in = j.at("burned_in").boolean();
  if (j.has("lut")) {
    d.lut = VoiLut{j.at("lut").at("first").number(), j.at("lut").at("bits").whole<int>(), {}};
    for (const JsonValue& v : j.at("lut").at("values").items()) d.lut->values.push_back(v.whole<std::uint16_t>());
  }
  return d;
}

std::string to_text(const FrameInfo& f) {
  Json j{{"slope", f.slope}, {"intercept", f.intercept}, {"windows", Json::array()}};
  if (f.plane) j["plane"] = {{"origin", f.plane->origin}, {"columns", f.plane->along_columns}, {"rows", f.plane->along_rows}};
  if (f.spacing)
    j["spacing"] = {{"rows", f.spacing->rows}, {"columns", f.spacing->columns}, {"at_detector", f.spacing->at_detector}};
  for (const Window& w : f.windows)
    j["windows"].push_back(
        {{"level", w.level}, {"width", w.width}, {"function", static_cast<int>(w.function)}, {"name", w.name}});
  return j.dump(-1, ' ', false, Json::error_handler_t::replace);
}

FrameInfo frame_info_in(const std::string& text, const std::string& file) {
  const JsonValue j = JsonValue::parse(text, file);
  FrameInfo f;
  f.slope = j.at("slope").number(), f.intercept = j.at("intercept").number();
  if (j.has("plane"))
    f.plane = Plane{vec3_in(j.at("plane").at("origin")), vec3_in(j.at("plane").at("columns")), vec3_in(j.at("plane").at("rows"))};
  if (j.has("spacing"))
    f.spacing = PixelSpacing{j.at("spacing").at("rows").number(), j.at("spacing").at("columns").number(),
                             j.at("spacing").at("at_detector").boolean()};
  for (const JsonValue& w : j.at("windows").items()) {
    const int function = w.at("function").whole<int>();
    check(function >= 0 && function <= static_cast<int>(Window::Function::sigmoid), file, ": a window of no known kind");
    f.windows.push_back(
        {w.at("level").number(), w.at("width").number(), static_cast<Window::Function>(function), w.at("name").text()});
  }
  return f;
}

}  // namespace fovea::scan_worker
