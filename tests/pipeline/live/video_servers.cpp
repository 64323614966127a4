#include "tests/pipeline/live/video_servers.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "modules/core/error.hpp"

namespace fovea::test {
namespace {

constexpr int kLook = 20;  // milliseconds between looks at the flag

bool can_read(int socket) {
  pollfd about{socket, POLLIN, 0};
  return ::poll(&about, 1, kLook) > 0;
}

std::string field(const std::string& request, const std::string& name) {
  const std::size_t at = request.find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  const std::size_t begin = at + name.size() + 4;
  return request.substr(begin, request.find("\r\n", begin) - begin);
}

std::string rtsp_answer(const std::string& request, const std::string& status, const std::string& fields,
                        const std::string& body = {}) {
  std::string out = "RTSP/1.0 " + status + "\r\nCSeq: " + field(request, "CSeq") + "\r\n" + fields;
  if (!body.empty()) out += "Content-Type: application/sdp\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  return out + "\r\n" + body;
}

void put_number(std::string& to, std::uint32_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) to += static_cast<char>(value >> (8 * i) & 255);
}

// A packet of RTP with a part of a transport stream, as it stands between answers of RTSP.
std::string rtp_packet(int number, const std::string& part) {
  std::string out = "$";
  out += '\0';
  put_number(out, static_cast<std::uint32_t>(12 + part.size()), 2);
  put_number(out, 0x80, 1);
  put_number(out, 33, 1);
  put_number(out, static_cast<std::uint32_t>(number), 2);
  put_number(out, static_cast<std::uint32_t>(number) * 900, 4);
  put_number(out, 0x1234, 4);
  return out + part;
}

}  // namespace

std::string VideoClient::request() {
  std::string text;
  while (!stop_ && text.find("\r\n\r\n") == std::string::npos) {
    if (!can_read(socket_)) continue;
    char c = 0;
    if (::recv(socket_, &c, 1, 0) <= 0) return {};
    text += c;
  }
  return text;
}

bool VideoClient::send(const std::string& bytes) {
  for (std::size_t at = 0; at < bytes.size() && !stop_;) {
    pollfd about{socket_, POLLOUT, 0};
    if (::poll(&about, 1, kLook) == 0) continue;
    const ssize_t n = ::send(socket_, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) return false;
    at += static_cast<std::size_t>(n);
  }
  return !stop_;
}

bool VideoClient::wait(double seconds) const {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (!stop_ && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  return !stop_;
}

void VideoClient::wait_for_end() const {
  char waste[512];
  while (!stop_)
    if (can_read(socket_) && ::recv(socket_, waste, sizeof waste, 0) <= 0) return;
}

VideoServer::VideoServer(std::function<void(VideoClient&, int)> serve) : serve_(std::move(serve)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  check(listener_ >= 0 && ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0 && ::listen(listener_, 8) == 0 &&
            ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0,
        "test server: no port");
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

VideoServer::~VideoServer() {
  stop_ = true;
  thread_.join();
  ::close(listener_);
}

void VideoServer::run() {
  for (int number = 0; !stop_;) {
    if (!can_read(listener_)) continue;
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) continue;
    VideoClient connection(socket, stop_);
    serve_(connection, number++);
    ::close(socket);
  }
}

std::string http_answer(const std::string& type, const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Type: " + type + "\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\nConnection: close\r\n\r\n" + body;
}

std::string mjpeg_header() {
  return "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\nConnection: close\r\n\r\n";
}

std::string mjpeg_part(const std::string& jpeg) {
  return "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: " + std::to_string(jpeg.size()) + "\r\n\r\n" + jpeg + "\r\n";
}

bool serve_rtsp(VideoClient& connection, const std::string& transport_stream) {
  const std::string sdp =
      "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=test\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n"
      "m=video 0 RTP/AVP 33\r\na=control:track1\r\n";
  for (bool playing = false; !playing;) {
    const std::string request = connection.request();
    if (request.empty()) return false;
    std::string answer;
    if (request.starts_with("OPTIONS")) {
      answer = rtsp_answer(request, "200 OK", "Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n");
    } else if (field(request, "Authorization") != "Basic YWRtaW46czNjcmV0") {
      answer = rtsp_answer(request, "401 Unauthorized", "WWW-Authenticate: Basic realm=\"test\"\r\n");
    } else if (request.starts_with("DESCRIBE")) {
      answer = rtsp_answer(request, "200 OK", "", sdp);
    } else if (request.starts_with("SETUP")) {
      const bool tcp = field(request, "Transport").find("TCP") != std::string::npos;
      answer = rtsp_answer(request, tcp ? "200 OK" : "461 Unsupported transport",
                           "Session: 7\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n");
    } else {
      playing = request.starts_with("PLAY");
      answer = rtsp_answer(request, "200 OK", "Session: 7\r\n");
    }
    if (!connection.send(answer)) return false;
  }
  constexpr std::size_t kPart = std::size_t{7} * 188;
  int number = 0;
  for (std::size_t at = 0; at < transport_stream.size(); at += kPart)
    if (!connection.send(rtp_packet(number++, transport_stream.substr(at, kPart)))) return false;
  return true;
}

}  // namespace fovea::test
