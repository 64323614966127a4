// Small servers of videos for tests, on a port of this machine.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace fovea::test {

// What a server does with a connection.
class VideoClient {
 public:
  VideoClient(int socket, const std::atomic<bool>& stop) : socket_(socket), stop_(stop) {}
  // Up to an empty line; empty where the other side is gone.
  std::string request();
  bool send(const std::string& bytes);  // false: nobody listens any more
  bool wait(double seconds) const;      // false: the server ends
  void wait_for_end() const;            // of the other side or the server

 private:
  int socket_;
  const std::atomic<bool>& stop_;
};

// One connection at a time, each in its turn.
class VideoServer {
 public:
  // `serve`: a connection, and its number from 0.
  explicit VideoServer(std::function<void(VideoClient&, int)> serve);
  ~VideoServer();
  VideoServer(const VideoServer&) = delete;
  VideoServer& operator=(const VideoServer&) = delete;
  std::string at() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  void run();

  std::function<void(VideoClient&, int)> serve_;
  int listener_ = -1, port_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

std::string http_answer(const std::string& type, const std::string& body);
// The beginning of an MJPEG stream, and a picture of it.
std::string mjpeg_header();
std::string mjpeg_part(const std::string& jpeg);

// Speaks RTSP up to PLAY, with the user "admin" and the password "s3cret", then sends a transport stream as RTP within the
// connection. False where the client went away or did not know the password.
bool serve_rtsp(VideoClient& connection, const std::string& transport_stream);

}  // namespace fovea::test
