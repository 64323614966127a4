#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "datasets/scans/in_process.hpp"
#include "datasets/scans/worker.hpp"
#include "datasets/scans/worker_protocol.hpp"
#include "modules/core/error.hpp"
#include "modules/io/files.hpp"

namespace fovea {
namespace {

using namespace scan_worker;

constexpr std::size_t kLongestQuestion = 1 << 16;

Message answer_pixels(const cv::Mat& frame) {
  Message m{Kind::pixels, number_bytes(frame.rows) + number_bytes(frame.cols) + number_bytes(frame.type())};
  const std::size_t row = frame.elemSize() * static_cast<std::size_t>(frame.cols);
  m.bytes.reserve(m.bytes.size() + row * static_cast<std::size_t>(frame.rows));
  for (int y = 0; y < frame.rows; ++y) m.bytes.append(frame.ptr<char>(y), row);
  return m;
}

Message answer_patient(const std::string& file) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& [name, value] : read_patient_in_process(file)) list.push_back({name, value});
  return {Kind::json, list.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
}

class Server {
 public:
  Message answer(const Message& question) {
    try {
      return answer_or_throw(question);
    } catch (const FileError& e) { return {Kind::failed, number_bytes(e.code) + e.what()}; } catch (const std::bad_alloc&) {
      return {Kind::refused, "it takes more memory than its decoder may have"};
    } catch (const std::exception& e) { return {Kind::refused, e.what()}; }
  }

 private:
  Message answer_or_throw(const Message& question) {
    switch (question.kind) {
      case Kind::open: {
        scan_.reset();
        scan_ = open_scan_in_process(question.bytes);
        return {Kind::json, to_text(Description{scan_->info(), scan_->voi_lut()})};
      }
      case Kind::frame_info: return {Kind::json, to_text(scan().frame_info(number_in(question.bytes, 0)))};
      case Kind::frame: return answer_pixels(scan().frame(number_in(question.bytes, 0)));
      case Kind::patient: return answer_patient(question.bytes);
      case Kind::header: return {Kind::dataset, read_header_in_process(question.bytes)};
      default: fail("scan reader: no question");
    }
  }
  Scan& scan() {
    check(scan_ != nullptr, "scan reader: no file is open");
    return *scan_;
  }

  std::unique_ptr<Scan> scan_;
};

}  // namespace

int serve_scans(int socket) {
  Server server;
  for (;;) {
    const Received question = receive(socket, kLongestQuestion, -1);
    if (!question.message) return 0;
    if (!send(socket, server.answer(*question.message))) return 0;
  }
}

}  // namespace fovea
